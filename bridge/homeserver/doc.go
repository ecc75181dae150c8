// Package homeserver is the Matrix side of the daemon: mautrix' connector for bridgev2 with what Postern promises on
// top of it.
//
//   - A transaction is answered only when everything in it is stored, and the events of one room are handled in order.
//   - A portal is always encrypted. Nothing is sent in the clear into it, not even the bridge's own notices.
//   - A message or reaction that is sent again after a crash has the transaction id that it had before, so that the
//     homeserver recognizes it.
//   - A file is encrypted or decrypted while it is transferred. Nothing of it is on the disk, and little in memory.
//   - What a user does in a chat is bridged, or they are told that it is not.
//   - The bot and every contact have an encryption device of their own, signed by a cross-signing identity of their own.
//     Messages are encrypted by the device of their sender.
//   - A key that a user's device could not be sent is sent later.
//   - No secret of the bot or a contact is stored in the clear: cross-signing keys are derived from the secret key, Olm and
//     Megolm keys are pickled with one derived from it, and access tokens live in memory.
//   - What the homeserver does not push (to-device messages, typing, receipts, redactions) is read by a sync of the bot.
//
// What the package knows of the gatekeepers is nothing at all.
//
// Goroutines: the HTTP server's, the bot's sync, one for each Megolm session that is waited for, one for each room that has
// message statuses to send, one that delivers keys later, one that erases old ones, and a few that make contacts' devices. All end with [Connector.Stop].
package homeserver

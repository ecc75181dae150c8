// Package homeserver is the Matrix side of the daemon: mautrix' connector for bridgev2 with what Postern promises on
// top of it.
//
//   - A transaction is answered only when everything in it is stored, and the events of one room are handled in order.
//   - A portal is always encrypted. Nothing is sent in the clear into it, not even the bridge's own notices.
//   - A message or reaction that is sent again after a crash has the transaction id that it had before, so that the
//     homeserver recognizes it.
//   - A file is encrypted or decrypted while it is transferred. Nothing of it is on the disk, and little in memory.
//   - What a user does in a chat is bridged, or they are told that it is not.
//   - No secret of the bot is stored in the clear: its cross-signing keys are derived from the secret key, its Olm and
//     Megolm keys are pickled with one derived from it, and its access token lives in memory.
//   - What the homeserver does not push (to-device messages, typing, receipts, redactions) is read by a sync of the bot.
//
// What the package knows of the gatekeepers is nothing at all.
//
// Goroutines: the HTTP server's, the bot's sync, one for each Megolm session that is waited for, and one for each room
// that has message statuses to send. All end with [Connector.Stop].
package homeserver

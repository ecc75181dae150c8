// Package whatsapp plays people who use WhatsApp. Their devices are whatsmeow clients, not modified and not ours, so
// that the two ends of a test are independent implementations of the protocol.
//
// A device is wired to the sandbox gatekeeper in five places that whatsmeow leaves open: the root key of the server's
// certificates ([Trust]), the transports that dial the websocket and the media host, the device's store, and the
// account's signature, which is never checked in the sandbox but has to be there.
package whatsapp

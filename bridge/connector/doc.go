// Package connector is what bridgev2 calls a network connector: [Network] is what all logins share, and [Client] is one enlistment, a
// NetworkAPI on Matrix' side and the handler of an interop client on the gatekeeper's.
//
//	network := connector.New(options)
//	err := network.LoadSuspensions(ctx)
//	bridge := bridgev2.NewBridge("", db, log, config, matrix, network, newCommands)
//	err = bridge.StartConnectors(ctx)
//	err = network.Begin(ctx)
//	// ...
//	network.PrepareStop()
//	bridge.Stop()
//
// bridgev2 owns users, logins, rooms and ghosts. What happens in a room with a message is decided in package portal, what a contact looks
// like in package puppet, the chat channel is package interop's, and the homeserver is package homeserver's. This package knows nothing of
// the process that it runs in: it reads no config and no files, and gets what it needs with [Options].
//
// # The way of a message
//
// From the gatekeeper: the interop client calls [Client.HandleEvent], and takes nil as "delivered". bridgev2 handles
// the event while it waits, so nil means that the homeserver has the message and that our database knows its event.
// On an error the interop client calls again.
//
// From Matrix: a transaction of the homeserver is answered when every message in it is in the outbox and in bridgev2's
// table. Both steps can be repeated: the message's id is made from the event's.
package connector

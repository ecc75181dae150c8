// Package bridge is the daemon: it connects users of one Matrix homeserver to the gatekeepers that they enlisted with.
//
//	cfg, err := config.Load(path, os.Getenv)
//	daemon, err := bridge.New(ctx, cfg, version, log)
//	err = daemon.Run(ctx) // returns when ctx ends and everything has stopped
//
// bridgev2 owns users, logins, rooms and ghosts. This package is its NetworkConnector ([Network]) and, for every
// enlistment, its NetworkAPI ([Client]). What happens in a room with a message is decided in package portal, what a
// contact looks like in package puppet, the chat channel is package interop's, and the homeserver is package
// homeserver's.
//
// # The way of a message
//
// From the gatekeeper: the interop client calls [Client.HandleEvent], and takes nil as "delivered". bridgev2 handles
// the event while it waits, so nil means that the homeserver has the message and that our database knows its event.
// On an error the interop client calls again.
//
// From Matrix: a transaction of the homeserver is answered when every message in it is in the outbox and in bridgev2's
// table. Both steps can be repeated: the message's id is made from the event's.
package bridge

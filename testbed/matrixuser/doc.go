// Package matrixuser plays people who use a Matrix client with end-to-end encryption: what Element does, without the
// screen. A [User] syncs all the time, decrypts what arrives and keeps it, so that a test can wait for an event that is
// yet to come or came already.
//
//	alice, err := matrixuser.New(ctx, matrixuser.Options{HomeserverURL: url, Account: account, Dir: dir})
//	...
//	room, err := alice.StartDirectChat(ctx, bot)
//	reply, err := alice.Ask(ctx, room, bot, "help")
//
// All methods wait for the server or for events and end with their context.
package matrixuser

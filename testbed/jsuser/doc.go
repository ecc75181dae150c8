// Package jsuser plays people who use Element: their client is matrix-js-sdk with its Rust cryptography, which Element is made of. It
// tells what Element would show beside each event: a shield, or that it cannot be read. The tests with it judge the bridge by a
// second implementation of Matrix's encryption; package matrixuser has the same as the bridge, mautrix. They accept every invitation.
//
//	alice, err := jsuser.New(ctx, jsuser.Options{HomeserverURL: url, Account: account, Dir: dir, Node: node, Args: args}, true)
//	...
//	evt, err := alice.Wait(ctx, "greeting", matrixuser.MessageIn(room, "", "hello"))
//	sights, err := alice.Look(ctx, room)
//
// The client is a program of its own, testbed/jsclient. Package programs knows how to run it.
package jsuser

// Package homeserver runs real Matrix homeservers for tests: Dendrite and Synapse, set up the way an admin sets up a
// small server with an appservice, and reachable on the loopback interface only.
//
//	server, err := homeserver.New(homeserver.Options{Kind: homeserver.Dendrite, Binary: bin, Dir: dir})
//	...
//	err = server.Start(ctx, "/path/to/registration.yaml")
//	alice, err := server.CreateUser(ctx, "alice", "password")
//
// Nothing here is fit for anything but tests: no federation, no limits, the cheapest password hash, databases that a power cut
// may damage.
package homeserver

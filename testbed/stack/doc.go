// Package stack puts a whole installation together on one machine: a homeserver, the bridge, the sandbox gatekeeper,
// Matrix users and WhatsApp contacts. Every part is a process or a client of its own, and they talk over sockets.
//
//	s, err := stack.Start(ctx, stack.Options{Homeserver: homeserver.Dendrite, Builder: builder})
//	defer s.Close()
//	alice, err := s.NewUser(ctx, "alice")
//	bob, err := s.NewContact(ctx, "Bob", 2)
package stack

// Package provider is the partner server: the HTTP side of a partner, which vouches for its users to a gatekeeper and
// never holds a message key. It issues identity tokens, publishes the public keys that they are checked with, hosts the encrypted
// files that the gatekeeper fetches for its users, and takes the gatekeeper's pushes.
//
//	p, err := provider.New(ctx, provider.Options{
//		Issuer: "https://partner.example.org", Domain: "example.org",
//		Audiences: []provider.Audience{{Name: "whatsapp", Integrator: 1}}, Keys: keyStore,
//		Media: mediaStore, MaxMedia: 100 << 20, MediaKey: key, Log: log,
//	})
//	token, err := p.Token(ctx, "@alice:example.org", "whatsapp")
//	reference, err := p.PutMedia(ctx, "alice", func(w io.Writer) error { _, err := w.Write(encrypted); return err })
//	err = p.Serve(ctx, listener) // returns when ctx ends
//
// The package knows no SQL and no Matrix library: the stores of its keys and files are interfaces, and a user is a string.
package provider

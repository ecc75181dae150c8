// Package provider is the partner server: the HTTP side of a partner, which vouches for its users to a gatekeeper and
// never holds a message key. It issues identity tokens and publishes the public keys that they are checked with.
//
//	p, err := provider.New(ctx, provider.Options{
//		Issuer: "https://partner.example.org", Domain: "example.org",
//		Audiences: []provider.Audience{{Name: "whatsapp", Integrator: 1}}, Keys: keyStore, Log: log,
//	})
//	token, err := p.Token(ctx, "@alice:example.org", "whatsapp")
//	err = p.Serve(ctx, listener) // returns when ctx ends
//
// The package knows no SQL and no Matrix library: the store of its keys is an interface, and a user is a string.
package provider

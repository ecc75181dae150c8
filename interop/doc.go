// Package interop is the partner client: it holds the Signal keys of one enlisted user, keeps that user's chat
// channel to a gatekeeper, and encrypts and decrypts. It knows neither Matrix nor SQL nor the partner server; what it
// needs from them it declares as interfaces ([Store], [TokenSource], [Handler]).
//
// A client's life:
//
//	keys := interop.NewKeys()            // store them first: a crash must not leave an enlistment without its keys
//	jid, err := interop.Enlist(ctx, httpClient, gatekeeper, tokens, "@alice:example.org", keys)
//	client := interop.NewClient(interop.Options{Gatekeeper: gatekeeper, Account: account, Store: store, ...})
//	client.Start()                       // connects, reconnects, drains the outbox
//	client.Send(ctx, chat, id, message)  // stored first, then encrypted and sent in order
//	client.Stop(ctx)
package interop

// Package wire is what both ends of the chat channel need: Noise over websocket frames, the certificate chain, and
// bounded coding of stanzas. It is the only package that the sandbox gatekeeper shares with the client.
package wire

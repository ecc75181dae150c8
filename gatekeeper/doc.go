// Package gatekeeper is the sandbox gatekeeper: a real server that speaks WhatsApp's wire protocol and the published
// interop interface, for the demo, the tests and everyone who has no agreement with a gatekeeper. It keeps its state in
// SQLite, refuses what the rules refuse, and can be told over its control API to fail in chosen ways.
//
// It shares only the wire codec with the client that it serves, so that a mistake in the one is not one in the other.
package gatekeeper

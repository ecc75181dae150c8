// Package sandbox runs `postern gatekeeper`, the sandbox gatekeeper, as a process of its own and talks to its control
// API: it makes WhatsApp accounts, asks what the gatekeeper saw and makes it fail.
package sandbox

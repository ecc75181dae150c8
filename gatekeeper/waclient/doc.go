// Package waclient makes WhatsApp clients: whatsmeow's own, unmodified, connected over real sockets to a sandbox
// gatekeeper instead of WhatsApp. The sandbox's phone page and the testbed's contacts are such clients.
//
// It knows no more of the protocol than where the servers are. What it adds is what a phone gets when it registers, and
// one lock.
package waclient

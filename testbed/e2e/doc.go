// Package e2e tests whole installations: a real homeserver, the real bridge, the sandbox gatekeeper, Matrix users and
// WhatsApp contacts. POSTERN_HOMESERVER=synapse runs the same tests on Synapse instead of Dendrite.
//
// Tests that break nothing share one installation and run side by side, each with users of its own. Tests that stop
// servers or need other settings have installations of their own.
package e2e

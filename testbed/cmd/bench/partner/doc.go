// Package partner is the partner's side without Matrix: a partner server in this process, and accounts that are enlisted
// with a gatekeeper but belong to no bridge. It shows what the interop client and the gatekeeper do by themselves.
package partner

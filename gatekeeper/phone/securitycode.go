package phone

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/libsignal/fingerprint"
)

const (
	// fingerprintRounds is the number of Signal's numeric fingerprints.
	fingerprintRounds = 5200
	// curveType is the byte before a Curve25519 key in all of Signal's formats.
	curveType = 0x05
)

// ErrNoCode is returned for a contact to whom nothing was encrypted yet.
var ErrNoCode = errors.New("there is a security code after the first message")

// SecurityCode returns the 60 digits that the user and the contact can compare: if they are the same, nobody stands in between.
//
// The contact's key is the one that this phone encrypts to. The user's own side is all devices of the account; the keys of
// the other ones are the gatekeeper's word, because the sandbox's device lists are not signed as WhatsApp's are.
func (p *Phone) SecurityCode(ctx context.Context, key string) (string, error) {
	shown, _, ok := p.Chat(key)
	if !ok {
		return "", ErrNoChat
	}
	session, err := p.client.Store.LoadSession(ctx, addressOf(key).SignalAddress())
	if err != nil {
		return "", fmt.Errorf("failed to load a session: %w", err)
	}
	theirs := session.SessionState().RemoteIdentityKey()
	if theirs == nil {
		return "", ErrNoCode
	}
	public := theirs.PublicKey().PublicKey()
	own, err := p.registry.IdentityKeys(ctx, p.number)
	if err != nil {
		return "", err
	}
	own = append(own, p.client.Store.IdentityKey.Pub[:])
	display := fingerprint.NewDisplay(Fingerprint(p.number, own...), Fingerprint(shown.ID, public[:]))
	return display.DisplayText(), nil
}

// Fingerprint is one side's half of a security code, as bytes: Signal's numeric fingerprint, version 0, of an identifier and
// the side's identity keys, 32 bytes each, in any order. docs/protocol.md says what we put in.
func Fingerprint(identifier string, identityKeys ...[]byte) []byte {
	sorted := slices.Clone(identityKeys)
	slices.SortFunc(sorted, bytes.Compare)
	var keys []byte
	for _, key := range slices.CompactFunc(sorted, bytes.Equal) {
		keys = append(append(keys, curveType), key...)
	}
	hash := slices.Concat([]byte{0, 0}, keys, []byte(identifier))
	for range fingerprintRounds {
		round := sha512.Sum512(append(hash, keys...))
		hash = round[:]
	}
	return hash
}

package whatsapp

import (
	"bytes"
	"context"
	"crypto/sha512"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"sort"
	"strings"

	"go.mau.fi/whatsmeow/types"
)

// The security code as docs/protocol.md describes it, written from there and not from the bridge's code: the tests compare the two.

// codeRounds is how often each half is hashed.
const codeRounds = 5200

// SecurityCode is what the app of the account with these devices shows for a chat with a partner's user. userID is their Matrix ID, and
// address where the account writes to.
func SecurityCode(ctx context.Context, devices []*Device, userID string, address types.JID) (string, error) {
	theirs, err := devices[0].identityOf(ctx, address)
	if err != nil {
		return "", err
	}
	var own [][]byte
	for _, device := range devices {
		own = append(own, device.Client.Store.IdentityKey.Pub[:])
	}
	halves := []string{
		half("+"+devices[0].JID().User, own),
		half(userID, [][]byte{theirs}),
	}
	sort.Strings(halves)
	return strings.Join(halves, ""), nil
}

// half is one side's 30 digits. Keys are without a type.
func half(identifier string, keys [][]byte) string {
	var typed []string
	for _, key := range keys {
		typed = append(typed, "\x05"+string(key))
	}
	sort.Strings(typed)
	all := []byte(strings.Join(typed, ""))
	state := bytes.Join([][]byte{{0, 0}, all, []byte(identifier)}, nil)
	for range codeRounds {
		hash := sha512.New()
		hash.Write(state)
		hash.Write(all)
		state = hash.Sum(nil)
	}
	digits := ""
	for group := 0; group < 6; group++ {
		number := new(big.Int).SetBytes(state[5*group : 5*group+5])
		digits += fmt.Sprintf("%05d", number.Mod(number, big.NewInt(100000)))
	}
	return digits
}

// identityOf reads from the device's own store which key it encrypts to a peer with. whatsmeow has no way to ask.
func (d *Device) identityOf(ctx context.Context, peer types.JID) (key []byte, err error) {
	database, err := sql.Open("sqlite3", d.path)
	if err != nil {
		return nil, fmt.Errorf("failed to open the store of %s: %w", d.JID(), err)
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	err = database.QueryRowContext(ctx, "SELECT identity FROM whatsmeow_identity_keys WHERE their_id = $1", peer.SignalAddress().String()).Scan(&key)
	if err != nil {
		return nil, fmt.Errorf("failed to look for the key of %s: %w", peer, err)
	}
	return key, nil
}

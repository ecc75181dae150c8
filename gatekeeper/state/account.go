package state

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// Account is a WhatsApp user or an enlisted user of a partner.
type Account struct {
	JID           types.JID // without device
	LID           types.JID // what WhatsApp clients know it by: a WhatsApp user's own LID, an interop user's alias
	UserVisibleID string    // interop users only
	Name          string
	ThirdParty    bool  // WhatsApp users only: third-party chats are on
	LastLogin     int64 // unix seconds
}

// IsInterop tells partner users from WhatsApp users.
func (a *Account) IsInterop() bool { return a.JID.Server == types.InteropServer }

const accountColumns = `jid, lid, integrator, user_visible_id, name, third_party, last_login`

func scanAccount(row dbutil.Scannable) (*Account, error) {
	var a Account
	var jid, lid string
	var integrator uint16
	err := row.Scan(&jid, &lid, &integrator, &a.UserVisibleID, &a.Name, &a.ThirdParty, &a.LastLogin)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrUnknown
	} else if err != nil {
		return nil, fmt.Errorf("failed to read account: %w", err)
	}
	if a.JID, err = wire.ParseJID(jid); err == nil {
		a.LID, err = wire.ParseJID(lid)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read account: %w", err)
	}
	return &a, nil
}

// Account returns the account known by jid, which may be its JID or its LID and may name a device.
func (s *State) Account(ctx context.Context, jid types.JID) (*Account, error) {
	return scanAccount(s.db.QueryRow(ctx,
		`SELECT `+accountColumns+` FROM account WHERE jid=$1 OR lid=$1`, wire.FormatJID(jid.ToNonAD())))
}

// AccountByUserVisibleID returns a partner's user.
func (s *State) AccountByUserVisibleID(ctx context.Context, integrator uint16, id string) (*Account, error) {
	return scanAccount(s.db.QueryRow(ctx,
		`SELECT `+accountColumns+` FROM account WHERE integrator=$1 AND user_visible_id=$2`, integrator, id))
}

// InteropAccounts returns all partners' users in no particular order.
func (s *State) InteropAccounts(ctx context.Context) ([]*Account, error) {
	rows, err := s.db.Query(ctx, `SELECT `+accountColumns+` FROM account WHERE integrator<>0`)
	return dbutil.NewRowIterWithError(rows, scanAccount, err).AsList()
}

// AddAccount stores a new account. A zero LID is filled with a fresh random one. Fails with ErrExists.
func (s *State) AddAccount(ctx context.Context, a *Account) error {
	if a.LID.IsEmpty() {
		a.LID = types.NewJID(randomNumber(), types.HiddenUserServer)
	}
	result, err := s.db.Exec(ctx, `INSERT INTO account (`+accountColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT DO NOTHING`, wire.FormatJID(a.JID), wire.FormatJID(a.LID), a.JID.Integrator, a.UserVisibleID,
		a.Name, a.ThirdParty, a.LastLogin)
	if err != nil {
		return fmt.Errorf("failed to add account: %w", err)
	} else if n, _ := result.RowsAffected(); n == 0 {
		return ErrExists
	}
	return nil
}

// SetName, SetThirdParty and SetLastLogin change one field.
func (s *State) SetName(ctx context.Context, jid types.JID, name string) error {
	return s.update(ctx, `UPDATE account SET name=$2 WHERE jid=$1`, jid, name)
}

// SetThirdParty turns a WhatsApp user's third-party chats on or off.
func (s *State) SetThirdParty(ctx context.Context, jid types.JID, on bool) error {
	return s.update(ctx, `UPDATE account SET third_party=$2 WHERE jid=$1`, jid, on)
}

// SetLastLogin notes a login, in unix seconds.
func (s *State) SetLastLogin(ctx context.Context, jid types.JID, at int64) error {
	return s.update(ctx, `UPDATE account SET last_login=$2 WHERE jid=$1`, jid, at)
}

// RemoveAccount erases an account with its devices, keys and mailboxes.
func (s *State) RemoveAccount(ctx context.Context, jid types.JID) error {
	return s.update(ctx, `DELETE FROM account WHERE jid=$1`, jid)
}

// update runs a statement whose first argument is an account's JID and which must change one row.
func (s *State) update(ctx context.Context, query string, jid types.JID, args ...any) error {
	result, err := s.db.Exec(ctx, query, append([]any{wire.FormatJID(jid.ToNonAD())}, args...)...)
	if err != nil {
		return fmt.Errorf("failed to change account: %w", err)
	} else if n, _ := result.RowsAffected(); n == 0 {
		return ErrUnknown
	}
	return nil
}

// NewInteropJID returns a fresh account number for a partner's user: 14 digits, as in the reference offer's example.
func NewInteropJID(integrator uint16) types.JID {
	return types.JID{User: randomNumber(), Integrator: integrator, Server: types.InteropServer}
}

func randomNumber() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	const low = 10_000_000_000_000
	return strconv.FormatUint(low+binary.BigEndian.Uint64(b[:])%(9*low), 10)
}

package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.mau.fi/util/dbutil"

	"postern/interop"
)

const sessionRecord = "postern_session.record"

// LoadSession implements interop.SessionStore with one query.
func (s *AccountStore) LoadSession(ctx context.Context, address interop.Address) ([]byte, error) {
	key := address.String()
	var sealed, record []byte
	err := s.db.QueryRow(ctx, "SELECT record FROM postern_session WHERE account = $1 AND address = $2", s.account, key).
		Scan(&sealed)
	if err == nil {
		record, err = s.open(sealed, sessionRecord, key)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to load a session: %w", err)
	}
	return record, nil
}

// SaveSession implements interop.SessionStore with one query.
func (s *AccountStore) SaveSession(ctx context.Context, address interop.Address, session []byte) error {
	key := address.String()
	return s.exec(ctx, "save a session", `
		INSERT INTO postern_session (account, address, record) VALUES ($1, $2, $3)
		ON CONFLICT (account, address) DO UPDATE SET record = excluded.record`,
		s.account, key, s.sealer.Seal(session, sessionRecord, key))
}

// DeleteSession implements interop.SessionStore with one query.
func (s *AccountStore) DeleteSession(ctx context.Context, address interop.Address) error {
	return s.exec(ctx, "delete a session", "DELETE FROM postern_session WHERE account = $1 AND address = $2",
		s.account, address.String())
}

// LoadIdentity implements interop.SessionStore with one query.
func (s *AccountStore) LoadIdentity(ctx context.Context, address interop.Address) (key [32]byte, ok bool, err error) {
	var stored []byte
	err = s.db.QueryRow(ctx, "SELECT public_key FROM postern_identity WHERE account = $1 AND address = $2",
		s.account, address.String()).Scan(&stored)
	if errors.Is(err, sql.ErrNoRows) {
		return key, false, nil
	} else if err != nil {
		return key, false, fmt.Errorf("failed to load an identity: %w", err)
	}
	copy(key[:], stored) // the schema holds the length at 32
	return key, true, nil
}

// SaveIdentity implements interop.SessionStore with one query.
func (s *AccountStore) SaveIdentity(ctx context.Context, address interop.Address, key [32]byte) error {
	return s.exec(ctx, "save an identity", `
		INSERT INTO postern_identity (account, address, public_key) VALUES ($1, $2, $3)
		ON CONFLICT (account, address) DO UPDATE SET public_key = excluded.public_key`,
		s.account, address.String(), key[:])
}

// SetIdentityTold implements interop.SessionStore with one query.
func (s *AccountStore) SetIdentityTold(ctx context.Context, address interop.Address, told bool) error {
	return s.exec(ctx, "note who knows of an identity", "UPDATE postern_identity SET told = $3 WHERE account = $1 AND address = $2",
		s.account, address.String(), told)
}

// UntoldIdentities implements interop.SessionStore with one query, which walks over all identities of the account.
func (s *AccountStore) UntoldIdentities(ctx context.Context) ([]interop.Address, error) {
	return queryAll(ctx, s.core, "load untold identities", scanAddress,
		"SELECT address FROM postern_identity WHERE account = $1 AND NOT told", s.account)
}

// ErrBadAddress: a device's address in the database is not one that this program wrote.
var ErrBadAddress = errors.New("malformed address of a device in the database")

// scanAddress is the inverse of interop.Address.String.
func scanAddress(row dbutil.Scannable) (address interop.Address, err error) {
	var text string
	if err = row.Scan(&text); err != nil {
		return address, err
	}
	parts := strings.SplitN(text, "/", 3)
	if len(parts) != 3 {
		return address, ErrBadAddress
	}
	last := strings.LastIndexByte(parts[2], '/') // only the user may hold a slash
	if last < 0 {
		return address, ErrBadAddress
	}
	integrator, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil {
		return address, ErrBadAddress
	}
	device, err := strconv.ParseUint(parts[2][last+1:], 10, 16)
	if err != nil {
		return address, ErrBadAddress
	}
	return interop.Address{
		Server: parts[0], Integrator: uint16(integrator), User: parts[2][:last], Device: uint16(device),
	}, nil
}

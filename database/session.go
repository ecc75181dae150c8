package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"postern/interop"
)

const sessionRecord = "postern_session.record"

// LoadSession implements interop.SessionStore with one query.
func (s *AccountStore) LoadSession(ctx context.Context, address interop.Address) ([]byte, error) {
	key := address.String()
	var sealed []byte
	err := s.db.QueryRow(ctx, "SELECT record FROM postern_session WHERE account = $1 AND address = $2", s.account, key).
		Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to load a session: %w", err)
	}
	record, err := s.sealer.Open(sealed, sessionRecord, key)
	if err != nil {
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

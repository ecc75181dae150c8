package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const receivedPlaintext = "postern_received.plaintext"

// PutReceived implements interop.Inbox with one query. A hash that is there already stays as it is: a delivered
// message must not come back.
func (s *AccountStore) PutReceived(ctx context.Context, hash [32]byte, plaintext []byte) error {
	return s.exec(ctx, "store a received message", `
		INSERT INTO postern_received (account, hash, plaintext) VALUES ($1, $2, $3)
		ON CONFLICT (account, hash) DO NOTHING`,
		s.account, hash[:], s.sealer.Seal(plaintext, receivedPlaintext, string(hash[:])))
}

// FindReceived implements interop.Inbox with one query.
func (s *AccountStore) FindReceived(ctx context.Context, hash [32]byte) (plaintext []byte, ok bool, err error) {
	var sealed []byte
	err = s.db.QueryRow(ctx, "SELECT plaintext FROM postern_received WHERE account = $1 AND hash = $2",
		s.account, hash[:]).Scan(&sealed)
	if err == nil && sealed != nil {
		plaintext, err = s.open(sealed, receivedPlaintext, string(hash[:]))
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, fmt.Errorf("failed to look up a received message: %w", err)
	}
	return plaintext, true, nil
}

// MarkDelivered implements interop.Inbox with one query.
func (s *AccountStore) MarkDelivered(ctx context.Context, hash [32]byte) error {
	return s.exec(ctx, "mark a message delivered", `
		UPDATE postern_received SET plaintext = NULL, delivered = $3
		WHERE account = $1 AND hash = $2 AND plaintext IS NOT NULL`,
		s.account, hash[:], toUnix(s.now()))
}

// PruneReceived implements interop.Inbox with one query, which walks over all received messages of the account.
func (s *AccountStore) PruneReceived(ctx context.Context, before time.Time) error {
	return s.exec(ctx, "prune received messages",
		"DELETE FROM postern_received WHERE account = $1 AND plaintext IS NULL AND delivered < $2", s.account, toUnix(before))
}

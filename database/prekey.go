package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/interop"
)

const (
	preKeyPair = "postern_prekey.key_pair"
	// preKeyChunk is how many keys one INSERT takes: two parameters each and three more, under SQLite's oldest limit of 999.
	preKeyChunk = 300
)

// LastPreKeyID implements interop.PreKeyStore with one query.
func (s *AccountStore) LastPreKeyID(ctx context.Context) (uint32, error) {
	var id uint32
	err := s.db.QueryRow(ctx, "SELECT last_prekey_id FROM postern_enlistment WHERE account = $1", s.account).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("failed to load the last prekey id: %w", err)
	}
	return id, nil
}

type preKeyRow struct {
	id      uint32
	keyPair []byte
}

// GetMassInsertValues implements dbutil.MassInsertable.
func (r preKeyRow) GetMassInsertValues() [2]any { return [2]any{r.id, r.keyPair} }

var insertPreKeys = dbutil.NewMassInsertBuilder[preKeyRow, [3]any](
	"INSERT INTO postern_prekey (account, uploaded, sent, id, key_pair) VALUES ($1, $2, $3, $4, $5)", "($1, $2, $3, $%d, $%d)")

// AddPreKeys implements interop.PreKeyStore with one transaction of one query per 300 keys and one more.
// An id that was used before is an error: the key it stands for may be on its way to us in a message.
func (s *AccountStore) AddPreKeys(ctx context.Context, keys []interop.PreKey, sent bool) error {
	if len(keys) == 0 {
		return nil
	}
	var last uint32
	var sentAt int64
	if sent {
		sentAt = toUnix(s.now())
	}
	rows := make([]preKeyRow, len(keys))
	for i, key := range keys {
		last = max(last, key.ID)
		rows[i] = preKeyRow{key.ID, s.sealKeyPair(key.KeyPair, preKeyPair, key.ID)}
	}
	return s.atomically(ctx, func(ctx context.Context) error {
		for chunk := range slices.Chunk(rows, preKeyChunk) {
			query, args := insertPreKeys.Build([3]any{s.account, sent, sentAt}, chunk)
			if err := s.exec(ctx, "add prekeys", query, args...); err != nil {
				return err
			}
		}
		return s.exec(ctx, "note the last prekey id",
			"UPDATE postern_enlistment SET last_prekey_id = $2 WHERE account = $1 AND last_prekey_id < $2", s.account, last)
	})
}

// PruneSentPreKeys implements interop.PreKeyStore with one query, which walks over all prekeys of the account.
func (s *AccountStore) PruneSentPreKeys(ctx context.Context, keep int, before time.Time) error {
	return s.exec(ctx, "prune prekeys of retry receipts", `
		DELETE FROM postern_prekey WHERE account = $1 AND sent <> 0 AND (sent < $2 OR id <= (
			SELECT id FROM postern_prekey WHERE account = $1 AND sent <> 0 ORDER BY id DESC LIMIT 1 OFFSET $3))`,
		s.account, toUnix(before), keep)
}

// LoadPreKey implements interop.PreKeyStore with one query.
func (s *AccountStore) LoadPreKey(ctx context.Context, id uint32) (*interop.PreKey, error) {
	key, err := s.scanPreKey(
		s.db.QueryRow(ctx, "SELECT id, key_pair FROM postern_prekey WHERE account = $1 AND id = $2", s.account, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to load a prekey: %w", err)
	}
	return &key, nil
}

// RemovePreKey implements interop.PreKeyStore with one query.
func (s *AccountStore) RemovePreKey(ctx context.Context, id uint32) error {
	return s.exec(ctx, "remove a prekey", "DELETE FROM postern_prekey WHERE account = $1 AND id = $2", s.account, id)
}

// UnsentPreKeys implements interop.PreKeyStore with one query.
func (s *AccountStore) UnsentPreKeys(ctx context.Context) ([]interop.PreKey, error) {
	return queryAll(ctx, s.core, "load unsent prekeys", s.scanPreKey,
		"SELECT id, key_pair FROM postern_prekey WHERE account = $1 AND NOT uploaded ORDER BY id", s.account)
}

// MarkPreKeysUploaded implements interop.PreKeyStore with one query.
func (s *AccountStore) MarkPreKeysUploaded(ctx context.Context, upTo uint32) error {
	return s.exec(ctx, "mark prekeys uploaded",
		"UPDATE postern_prekey SET uploaded = true WHERE account = $1 AND id <= $2 AND NOT uploaded", s.account, upTo)
}

func (s *AccountStore) scanPreKey(row dbutil.Scannable) (key interop.PreKey, err error) {
	var sealed []byte
	if err = row.Scan(&key.ID, &sealed); err != nil {
		return key, err
	}
	key.KeyPair, err = s.openKeyPair(sealed, preKeyPair, key.ID)
	return key, err
}

// sealKeyPair seals the public part too: computing it again would cost more than reading 32 bytes.
func (s *AccountStore) sealKeyPair(pair interop.KeyPair, column string, id uint32) []byte {
	var both [64]byte
	copy(both[:32], pair.Pub[:])
	copy(both[32:], pair.Priv[:])
	return s.sealer.Seal(both[:], column, strconv.FormatUint(uint64(id), 10))
}

func (s *AccountStore) openKeyPair(sealed []byte, column string, id uint32) (pair interop.KeyPair, err error) {
	both, err := s.open(sealed, column, strconv.FormatUint(uint64(id), 10))
	if err != nil {
		return pair, err
	} else if len(both) != 64 {
		return pair, s.missingIfDamaged(ErrSealBroken, s.account, column)
	}
	copy(pair.Pub[:], both[:32])
	copy(pair.Priv[:], both[32:])
	return pair, nil
}

package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/interop"
)

const signedPreKeyPair = "postern_signed_prekey.key_pair"

// AddSignedPreKey implements interop.PreKeyStore with one query.
func (s *AccountStore) AddSignedPreKey(ctx context.Context, key interop.SignedPreKey) error {
	return s.exec(ctx, "add a signed prekey",
		`
		INSERT INTO postern_signed_prekey (account, id, key_pair, signature, created) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, id) DO UPDATE
		SET key_pair = excluded.key_pair, signature = excluded.signature, created = excluded.created`,
		s.account, key.ID, s.sealKeyPair(key.KeyPair, signedPreKeyPair, key.ID), key.Signature[:], toUnix(key.Created))
}

// LoadSignedPreKey implements interop.PreKeyStore with one query.
func (s *AccountStore) LoadSignedPreKey(ctx context.Context, id uint32) (*interop.SignedPreKey, error) {
	keys, err := queryAll(ctx, s.core, "load signed prekeys", s.scanSignedPreKey, `
		SELECT id, key_pair, signature, created FROM postern_signed_prekey
		WHERE account = $1 AND (id = $2 OR $2 = 0) ORDER BY id DESC`, s.account, id)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	return &keys[0], nil
}

func (s *AccountStore) scanSignedPreKey(row dbutil.Scannable) (key interop.SignedPreKey, err error) {
	var sealed, signature []byte
	var created int64
	if err = row.Scan(&key.ID, &sealed, &signature, &created); err != nil {
		return key, err
	}
	copy(key.Signature[:], signature)
	key.Created = fromUnix(created)
	key.KeyPair, err = s.openKeyPair(sealed, signedPreKeyPair, key.ID)
	return key, err
}

// RemoveSignedPreKeys implements interop.PreKeyStore with one query.
func (s *AccountStore) RemoveSignedPreKeys(ctx context.Context, before time.Time) error {
	return s.exec(ctx, "remove old signed prekeys", `
		DELETE FROM postern_signed_prekey
		WHERE account = $1 AND id < (
			SELECT max(id) FROM postern_signed_prekey WHERE account = $1 AND created < $2)`,
		s.account, toUnix(before))
}

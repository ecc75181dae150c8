package database

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/provider"
)

const providerPrivateKey = "postern_provider_key.private_key"

// ProviderKeys keeps the partner server's signing keys. It implements [provider.KeyStore].
type ProviderKeys struct {
	*core
	sealer *Sealer
}

var _ provider.KeyStore = (*ProviderKeys)(nil)

// ProviderKeys returns the store of the partner server's signing keys.
func (db *Database) ProviderKeys() *ProviderKeys {
	return &ProviderKeys{core: &db.core, sealer: db.key.Sealer("provider")}
}

// SigningKeys implements provider.KeyStore with one query.
func (k *ProviderKeys) SigningKeys(ctx context.Context) ([]provider.StoredKey, error) {
	return queryAll(ctx, k.core, "load signing keys", k.scan,
		"SELECT kid, state, private_key, created, published, retired FROM postern_provider_key ORDER BY created DESC, kid")
}

// AddFirstKey implements provider.KeyStore with one query. The unique index on the active state decides who is first.
func (k *ProviderKeys) AddFirstKey(ctx context.Context, key provider.StoredKey) error {
	return k.exec(ctx, "store the first signing key", `
		INSERT INTO postern_provider_key (kid, state, private_key, created, published) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`,
		key.ID, provider.KeyActive, k.sealer.Seal(key.PKCS8, providerPrivateKey, key.ID), toUnix(key.Created),
		toUnix(key.Published))
}

// AddNextKey implements provider.KeyStore with one query. The unique index on the next state lets in one.
func (k *ProviderKeys) AddNextKey(ctx context.Context, key provider.StoredKey) error {
	added, err := k.change(ctx, "store the next signing key", `
		INSERT INTO postern_provider_key (kid, state, private_key, created, published) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`,
		key.ID, provider.KeyNext, k.sealer.Seal(key.PKCS8, providerPrivateKey, key.ID), toUnix(key.Created),
		toUnix(key.Published))
	if err == nil && added == 0 {
		err = provider.ErrNextKeyExists
	}
	return err
}

// RotateKeys implements provider.KeyStore with one transaction.
func (k *ProviderKeys) RotateKeys(ctx context.Context, active, next string, at time.Time) error {
	return k.atomically(ctx, func(ctx context.Context) error {
		retired, err := k.change(ctx, "retire the active signing key",
			"UPDATE postern_provider_key SET state = $1, retired = $2 WHERE kid = $3 AND state = $4",
			provider.KeyRetired, toUnix(at), active, provider.KeyActive)
		if err != nil {
			return err
		} else if retired != 1 {
			return provider.ErrKeysChanged
		}
		activated, err := k.change(ctx, "activate the next signing key",
			"UPDATE postern_provider_key SET state = $1 WHERE kid = $2 AND state = $3",
			provider.KeyActive, next, provider.KeyNext)
		if err == nil && activated != 1 {
			err = provider.ErrKeysChanged
		}
		return err
	})
}

// RemoveRetiredKeys implements provider.KeyStore with one query.
func (k *ProviderKeys) RemoveRetiredKeys(ctx context.Context, before time.Time) error {
	return k.exec(ctx, "remove retired signing keys",
		"DELETE FROM postern_provider_key WHERE state = $1 AND retired < $2", provider.KeyRetired, toUnix(before))
}

// change runs a statement and returns how many rows it changed. what completes "failed to".
func (k *ProviderKeys) change(ctx context.Context, what, query string, args ...any) (rows int64, err error) {
	result, err := k.db.Exec(ctx, query, args...)
	if err == nil {
		rows, err = result.RowsAffected()
	}
	if err != nil {
		return 0, fmt.Errorf("failed to %s: %w", what, err)
	}
	return rows, nil
}

func (k *ProviderKeys) scan(row dbutil.Scannable) (key provider.StoredKey, err error) {
	var sealed []byte
	var created, published, retired int64
	if err = row.Scan(&key.ID, &key.State, &sealed, &created, &published, &retired); err != nil {
		return key, err
	}
	key.Created, key.Published, key.Retired = fromUnix(created), fromUnix(published), fromUnix(retired)
	key.PKCS8, err = k.sealer.Open(sealed, providerPrivateKey, key.ID)
	if err != nil {
		return key, fmt.Errorf("signing key %s: %w", key.ID, err)
	}
	return key, nil
}

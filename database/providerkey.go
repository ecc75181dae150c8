package database

import (
	"context"
	"fmt"

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
		"SELECT kid, state, private_key, created, published FROM postern_provider_key ORDER BY created DESC, kid")
}

// AddFirstKey implements provider.KeyStore with one query. The unique index on the active state decides who is first.
func (k *ProviderKeys) AddFirstKey(ctx context.Context, key provider.StoredKey) error {
	return k.exec(ctx, "store the first signing key", `
		INSERT INTO postern_provider_key (kid, state, private_key, created, published) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`,
		key.ID, provider.KeyActive, k.sealer.Seal(key.PKCS8, providerPrivateKey, key.ID), toUnix(key.Created),
		toUnix(key.Published))
}

func (k *ProviderKeys) scan(row dbutil.Scannable) (key provider.StoredKey, err error) {
	var sealed []byte
	var created, published int64
	if err = row.Scan(&key.ID, &key.State, &sealed, &created, &published); err != nil {
		return key, err
	}
	key.Created, key.Published = fromUnix(created), fromUnix(published)
	key.PKCS8, err = k.sealer.Open(sealed, providerPrivateKey, key.ID)
	if err != nil {
		return key, fmt.Errorf("signing key %s: %w", key.ID, err)
	}
	return key, nil
}

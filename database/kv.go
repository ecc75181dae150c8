package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const kvValue = "postern_kv.value"

// KV keeps a few small values of the bridge by name, such as its place in a sync. Values are sealed, names are not.
type KV struct {
	*core
	sealer *Sealer
}

// KV returns the table of named values. Keep it, it derives a key.
func (db *Database) KV() *KV { return &KV{core: &db.core, sealer: db.key.Sealer("kv")} }

// Get returns the value of a name, nil if there is none.
func (kv *KV) Get(ctx context.Context, name string) ([]byte, error) {
	var sealed []byte
	err := kv.db.QueryRow(ctx, "SELECT value FROM postern_kv WHERE name = $1", name).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to load the value of %s: %w", name, err)
	}
	value, err := kv.sealer.Open(sealed, kvValue, name)
	if err != nil {
		return nil, fmt.Errorf("failed to load the value of %s: %w", name, err)
	}
	return value, nil
}

// Set stores a value in place of the one before.
func (kv *KV) Set(ctx context.Context, name string, value []byte) error {
	return kv.exec(ctx, "store the value of "+name,
		"INSERT INTO postern_kv (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		name, kv.sealer.Seal(value, kvValue, name))
}

// Delete forgets a value. Deleting what is not there is no error.
func (kv *KV) Delete(ctx context.Context, name string) error {
	return kv.exec(ctx, "delete the value of "+name, "DELETE FROM postern_kv WHERE name = $1", name)
}

package database

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
)

const secretCheckTable = "postern_secret_check"

// ErrWrongSecretKey: the database holds data that was sealed with another secret key.
var ErrWrongSecretKey = errors.New("the secret key is not the one that this database was encrypted with; " +
	"put the original key back (from a backup of the key file or of the config), or start with an empty database and enlist again")

// HasSecrets tells whether db holds data that was sealed with a secret key, whichever it is. Works before Upgrade.
func HasSecrets(ctx context.Context, db *dbutil.Database) (bool, error) {
	exists, err := db.TableExists(ctx, secretCheckTable)
	if err != nil || !exists {
		return false, err
	}
	var rows int
	err = db.QueryRow(ctx, "SELECT count(*) FROM "+secretCheckTable).Scan(&rows)
	return rows > 0, err
}

// checkSecretKey compares the key with the one that the database was made with, or notes it if this is the first start.
// What is stored is derived from 32 random bytes and tells nothing about them.
func (db *Database) checkSecretKey(ctx context.Context) error {
	want := db.key.Derive("database/key-check")
	var stored []byte
	err := db.db.QueryRow(ctx, "SELECT check_value FROM postern_secret_check WHERE id = 1").Scan(&stored)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = db.db.Exec(ctx, "INSERT INTO postern_secret_check (id, check_value) VALUES (1, $1)", want[:])
		if err != nil {
			return fmt.Errorf("failed to store the secret key's check value: %w", err)
		}
		return nil
	} else if err != nil {
		return fmt.Errorf("failed to read the secret key's check value: %w", err)
	}
	if subtle.ConstantTimeCompare(stored, want[:]) != 1 {
		return ErrWrongSecretKey
	}
	return nil
}

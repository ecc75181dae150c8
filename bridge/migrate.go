package bridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"postern/bridge/config"
	"postern/database"
)

// ErrNotFromSQLite: the config names a PostgreSQL database already.
var ErrNotFromSQLite = errors.New("the config names a PostgreSQL database already; name the SQLite one with POSTERN_DATABASE_TYPE=sqlite and POSTERN_DATABASE_URI")

// Migrate moves the SQLite database of the config to an empty PostgreSQL database, and returns how many rows each table has. No daemon
// may run on either. Errors: [ErrNotFromSQLite], [database.ErrInUse], and those of [database.Database.Migrate].
func Migrate(ctx context.Context, cfg *config.Config, uri string) (counts []database.TableCount, err error) {
	if cfg.Database.Type != config.SQLite {
		return nil, ErrNotFromSQLite
	}
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	lock, err := database.Lock(ctx, raw, cfg.Database.URI)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if made, err := db.CopyMade(ctx); err != nil {
		return nil, err
	} else if !made.IsZero() {
		return nil, database.ErrIsCopy
	}
	to, err := database.Open(ctx, string(config.Postgres), uri, zerolog.Nop())
	if err != nil {
		return nil, fmt.Errorf("failed to reach the new database: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	lockTo, err := database.Lock(ctx, to, uri)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lockTo.Release()) }()
	return db.Migrate(ctx, to)
}

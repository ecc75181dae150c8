package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/bridge/homeserver"
	"postern/database"
)

// ErrPostgres: PostgreSQL is copied by its own programs. The text says how.
var ErrPostgres = errors.New("PostgreSQL makes consistent copies itself, while the bridge runs")

// Backup writes a copy of the SQLite database to a new file, while a daemon may be running. Errors: [ErrPostgres].
func Backup(ctx context.Context, cfg *config.Config, to string) error {
	if cfg.Database.Type == config.Postgres {
		return fmt.Errorf("%w:\n\n    pg_dump --format=custom --file=%s '%s'\n\nTo put it back: pg_restore into an empty database, then `postern restore --in-place`",
			ErrPostgres, to, withoutPassword(cfg.Database.URI))
	}
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(db.Backup(ctx, to), raw.Close())
}

// withoutPassword is for people to read and for programs that ask for the password.
func withoutPassword(uri string) string {
	parsed, err := url.Parse(uri)
	if err != nil {
		return "postgres://..."
	}
	if parsed.User != nil {
		parsed.User = url.User(parsed.User.Username())
	}
	query := parsed.Query()
	query.Del("password")
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

// ErrNotSQLite: what was asked for works with a file.
var ErrNotSQLite = errors.New("the config names a PostgreSQL database; put the copy back with pg_restore, then run `postern restore --in-place`")

// ErrNoKey: without its secret key a copy is of no use.
var ErrNoKey = errors.New("the secret key that belongs to the copy is not there; put it in place first")

// Restore makes the SQLite database of the config from a copy, and returns how many users have to enlist again. There must be no
// database yet. Errors: those of [database.Restore], [ErrNotSQLite], [ErrNoKey], [database.ErrWrongSecretKey].
func Restore(ctx context.Context, cfg *config.Config, from string) (lapsed int64, err error) {
	if cfg.Database.Type != config.SQLite {
		return 0, ErrNotSQLite
	}
	err = database.Restore(ctx, from, cfg.Database.URI, func(raw *dbutil.Database) error {
		lock, err := database.Lock(ctx, raw, cfg.Database.URI) // of the place, not of the file that is being made
		if err != nil {
			return err
		}
		lapsed, err = forgetSessions(ctx, cfg, raw)
		return errors.Join(err, lock.Release())
	})
	return lapsed, err
}

// RestoreInPlace does the same with a database that was put in place by other means. No daemon may run on it. Errors:
// [database.ErrInUse] and those of Restore.
func RestoreInPlace(ctx context.Context, cfg *config.Config) (lapsed int64, err error) {
	if cfg.Database.Type == config.SQLite {
		if _, err = os.Stat(cfg.Database.URI); err != nil { // opening would make it
			return 0, fmt.Errorf("there is no database: %w", err)
		}
	}
	raw, err := database.Open(ctx, string(cfg.Database.Type), cfg.Database.URI, zerolog.Nop())
	if err != nil {
		return 0, err
	}
	lock, err := database.Lock(ctx, raw, cfg.Database.URI)
	if err != nil {
		return 0, errors.Join(err, raw.Close())
	}
	lapsed, err = forgetSessions(ctx, cfg, raw)
	return lapsed, errors.Join(err, lock.Release(), raw.Close())
}

// forgetSessions checks that the database is one of ours that the secret key opens, brings it to this program's version, and erases
// what must not be used twice.
func forgetSessions(ctx context.Context, cfg *config.Config, raw *dbutil.Database) (lapsed int64, err error) {
	if used, err := database.HasSecrets(ctx, raw); err != nil {
		return 0, err
	} else if !used {
		return 0, errNotOurs
	}
	key, err := loadSecretKey(ctx, cfg, raw, false)
	if errors.Is(err, database.ErrSecretKeyMissing) {
		return 0, fmt.Errorf("%w: %s", ErrNoKey, cfg.SecretKeyFile)
	} else if err != nil {
		return 0, err
	}
	db := database.New(raw, key, zerolog.Nop())
	if err = db.UpgradeAll(ctx, database.Upgrading{Log: zerolog.Nop()}); err != nil {
		return 0, err
	}
	made, err := db.CopyMade(ctx)
	if err != nil {
		return 0, err
	} else if made.IsZero() {
		made = time.Now() // nobody knows better
	}
	err = raw.DoTxn(ctx, nil, func(ctx context.Context) error {
		if err := homeserver.ForgetSessions(ctx, raw, db.KV()); err != nil {
			return err
		}
		lapsed, err = db.ForgetSessions(ctx, made)
		return err
	})
	return lapsed, err
}

var errNotOurs = errors.New("the file is not a database that the bridge has used")

// checkOrigin refuses a copy that was not put in place by restore, and what was moved away.
func checkOrigin(ctx context.Context, db *database.Database) (connector.Origin, error) {
	if moved, err := db.Moved(ctx); err != nil {
		return connector.Origin{}, err
	} else if moved {
		return connector.Origin{}, database.ErrMoved
	}
	if made, err := db.CopyMade(ctx); err != nil {
		return connector.Origin{}, err
	} else if !made.IsZero() {
		return connector.Origin{}, fmt.Errorf("%w (it is of %s)", database.ErrIsCopy, made.Format("2006-01-02 15:04 MST"))
	}
	made, restored, err := db.Restored(ctx)
	return connector.Origin{Made: made, Restored: restored}, err
}

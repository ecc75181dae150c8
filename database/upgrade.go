package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

// Upgrading says how [Database.UpgradeAll] goes about it.
type Upgrading struct {
	// Program is this program's version. It is stored, so that an older one can say which it takes.
	Program string
	// URI is what Open was given, to make a copy of an SQLite file beside it; "" makes none.
	URI string
	Log zerolog.Logger
}

// programName is the value that tells which version of the program used the database last.
const programName = "database.program"

// UpgradeAll is Upgrade for all schemas that share the database: ours, bridgev2's, and those for Matrix encryption and room state. If
// there is something to upgrade in an SQLite file that was used before, a copy is made first, as by Backup, which [CopiesBefore] finds.
// Nothing is changed if any schema is newer than this program. The caller holds the [Lock].
//
// All of it is one transaction, so a kill or an error leaves the database as it was, and then the copy is removed again.
// The exception is a step of the Matrix library that cannot be in one, because SQLite's foreign keys have to be off: then each step
// is one, and the copy stays.
//
// Errors: those of Upgrade, [ErrNoRoom].
func (db *Database) UpgradeAll(ctx context.Context, how Upgrading) error {
	if db.key.IsZero() {
		return ErrNoSecretKey
	}
	steps := &stepLog{DatabaseLogger: dbutil.ZeroLogger(how.Log)}
	all := schemas(db.db, steps)
	used, pending, err := db.compare(ctx, all)
	if err != nil {
		return err
	}
	var copied string
	if used && pending {
		if copied, err = db.copyBefore(ctx, how); err != nil {
			return err
		}
	}
	err = db.db.DoTxn(ctx, nil, func(ctx context.Context) error { return db.upgradeAll(ctx, all, how.Program) })
	switch {
	case err != nil && steps.alone:
		how.Log.Warn().Msg("A step of the upgrade cannot be in one transaction with the others, so they are done one by one")
		return db.upgradeAll(ctx, all, how.Program)
	case err != nil && copied != "":
		return errors.Join(err, removeDatabase(copied)) // the database is as it was
	default:
		return err
	}
}

// compare looks whether the database was used, and whether anything is to be upgraded. It changes nothing.
func (db *Database) compare(ctx context.Context, all []schema) (used, pending bool, err error) {
	for _, schema := range all {
		version, compatible, err := schema.stored(ctx)
		if err != nil {
			return false, false, err
		}
		if compatible > schema.latest() {
			return false, false, db.newer(ctx, schema.name, version, schema.latest())
		}
		used, pending = used || version > 0, pending || version < schema.latest()
	}
	return used, pending, nil
}

// newer is the error about a schema that this program is too old for. It names the program to use.
func (db *Database) newer(ctx context.Context, schema string, version, known int) error {
	err := fmt.Errorf("%w (the %s tables are of version %d, this program knows %d)", ErrNewerSchema, schema, version, known)
	if program, kvErr := db.KV().Get(ctx, programName); kvErr == nil && len(program) > 0 {
		err = fmt.Errorf("%w; it was last used by Postern %.64q: use that version or a newer one", err, program)
	}
	return fmt.Errorf("%w: %w", err, dbutil.ErrUnsupportedDatabaseVersion)
}

// upgradeAll runs all steps. They are one transaction if ctx carries one.
func (db *Database) upgradeAll(ctx context.Context, all []schema, program string) error {
	if err := db.prepareUpgrade(ctx); err != nil {
		return err
	}
	for _, schema := range all {
		if err := schema.Upgrade(ctx); err != nil {
			return fmt.Errorf("failed to upgrade the %s tables of the database: %w", schema.name, err)
		}
	}
	if err := db.checkSecretKey(ctx); err != nil {
		return err
	}
	kv := db.KV()
	if before, err := kv.Get(ctx, programName); err != nil {
		return err
	} else if program == "" || string(before) == program {
		return nil
	}
	return kv.Set(ctx, programName, []byte(program))
}

// copyBefore makes the copy of an SQLite file, and returns its name; "" if none is made.
func (db *Database) copyBefore(ctx context.Context, how Upgrading) (path string, err error) {
	if db.db.Dialect != dbutil.SQLite {
		how.Log.Warn().Msg("The tables are upgraded. PostgreSQL makes its copies itself: keep a dump from before, `postern backup` says how")
		return "", nil
	}
	if how.URI == "" {
		return "", nil
	}
	path = copyPath(how.URI, db.now())
	if err = checkRoom(sqlitePath(how.URI)); err != nil {
		return "", err
	}
	how.Log.Info().Str("path", path).Msg("Copying the database before its upgrade")
	begin := time.Now()
	if err = db.Backup(ctx, path); err != nil {
		return "", fmt.Errorf("failed to copy the database before its upgrade: %w", err)
	}
	how.Log.Info().Str("path", path).Dur("took", time.Since(begin)).Msg("The copy is made; delete it when all is well")
	if err = pruneCopies(how.URI); err != nil {
		how.Log.Warn().Err(err).Msg("Failed to remove old copies of the database")
	}
	return path, nil
}

// stepLog notes whether a step came that cannot be in a transaction with others.
type stepLog struct {
	dbutil.DatabaseLogger
	alone bool
}

// DoUpgrade implements dbutil.DatabaseLogger.
func (l *stepLog) DoUpgrade(from, to int, message string, mode dbutil.TxnMode) {
	l.alone = l.alone || mode != dbutil.TxnModeOn
	l.DatabaseLogger.DoUpgrade(from, to, message, mode)
}

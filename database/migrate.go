package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

var (
	// ErrNotEmpty: there are tables where a database is to be moved to.
	ErrNotEmpty = errors.New("the PostgreSQL database is not empty; make a new one with: createdb --encoding=UTF8 postern")
	// ErrWrongWay: databases are moved from SQLite to PostgreSQL only.
	ErrWrongWay = errors.New("a database can be moved from SQLite to PostgreSQL only")
	// ErrNotUTF8: PostgreSQL would not take all texts.
	ErrNotUTF8 = errors.New("the PostgreSQL database does not store UTF-8; make a new one with: createdb --encoding=UTF8 postern")
	// ErrMoved: the database was moved. Whoever uses both uses encryption keys twice.
	ErrMoved = errors.New("this database was moved to PostgreSQL with `postern db migrate`; set database.type and database.uri in the config. " +
		"If PostgreSQL has no tables, run the command again")
)

// movedName is the value that tells that a database was moved.
const movedName = "database.moved"

// TableCount is how many rows a table has.
type TableCount struct {
	Table string
	Rows  int64
}

// Migrate copies all tables, ours, bridgev2's and those for Matrix encryption and room state, from an SQLite database to an empty
// PostgreSQL database, in one transaction, and compares the numbers of rows. Then from counts as moved: a daemon does not start on it
// any more, since both together would use encryption keys twice. The caller holds the [Lock] of both. db is the source, which
// passed Check.
//
// Errors: [ErrNotEmpty], [ErrWrongWay], [ErrNotUTF8], [ErrOtherSchema]. After an error nothing is changed.
func (db *Database) Migrate(ctx context.Context, to *dbutil.Database) (counts []TableCount, err error) {
	from := db.db
	if from.Dialect != dbutil.SQLite || to.Dialect != dbutil.Postgres {
		return nil, ErrWrongWay
	}
	kv := db.KV()
	marked := false
	err = to.DoTxn(ctx, nil, func(ctx context.Context) error {
		if err := checkTarget(ctx, to); err != nil {
			return err
		}
		if err := makeTables(ctx, to); err != nil {
			return fmt.Errorf("failed to make the tables: %w", err)
		}
		if counts, err = copyTables(ctx, from, to); err != nil {
			return err
		}
		// Before the commit: if we are killed in between, no database can be used rather than two.
		marked = true
		return kv.Set(ctx, movedName, []byte("postgres"))
	})
	if err != nil && marked {
		err = errors.Join(err, kv.Delete(context.WithoutCancel(ctx), movedName))
	}
	return counts, err
}

// Moved tells whether Migrate moved the database away.
func (db *Database) Moved(ctx context.Context) (bool, error) {
	value, err := db.KV().Get(ctx, movedName)
	return value != nil, err
}

func checkTarget(ctx context.Context, to *dbutil.Database) error {
	var tables int
	var encoding string
	if err := to.QueryRow(ctx, "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()").Scan(&tables); err != nil {
		return fmt.Errorf("failed to look for tables: %w", err)
	} else if tables > 0 {
		return ErrNotEmpty
	}
	if err := to.QueryRow(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return fmt.Errorf("failed to ask for the encoding: %w", err)
	} else if encoding != "UTF8" {
		return fmt.Errorf("%w (it has %s)", ErrNotUTF8, encoding)
	}
	return nil
}

// makeTables makes the newest schema of everything that shares the database. ctx carries the transaction.
func makeTables(ctx context.Context, to *dbutil.Database) error {
	for _, schema := range schemas(to, dbutil.ZeroLogger(zerolog.Nop())) {
		if err := schema.Upgrade(ctx); err != nil {
			return err
		}
	}
	return nil
}

func copyTables(ctx context.Context, from, to *dbutil.Database) ([]TableCount, error) {
	tables, err := sameTables(ctx, from, to)
	if err != nil {
		return nil, err
	}
	restore, err := dropForeignKeys(ctx, to)
	if err != nil {
		return nil, err
	}
	var counts []TableCount
	for _, table := range tables {
		count, err := copyTable(ctx, from, to, table)
		if err != nil {
			return nil, fmt.Errorf("failed to copy table %s: %w", table, err)
		}
		counts = append(counts, TableCount{table, count})
	}
	if err = restore(); err != nil {
		return nil, fmt.Errorf("the tables do not fit each other: %w", err)
	}
	return counts, resetSequences(ctx, to)
}

// sameTables returns the tables, which both sides must have.
func sameTables(ctx context.Context, from, to *dbutil.Database) ([]string, error) {
	there, err := texts(ctx, from, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
	if err != nil {
		return nil, err
	}
	here, err := texts(ctx, to, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name")
	if err != nil {
		return nil, err
	}
	slices.Sort(there)
	slices.Sort(here)
	if !slices.Equal(there, here) {
		return nil, fmt.Errorf("%w (tables differ: %s)", ErrOtherSchema, strings.Join(difference(there, here), ", "))
	}
	return there, nil
}

// difference returns what only one of the two sorted lists has.
func difference(a, b []string) (only []string) {
	for _, name := range a {
		if !slices.Contains(b, name) {
			only = append(only, name)
		}
	}
	for _, name := range b {
		if !slices.Contains(a, name) {
			only = append(only, name)
		}
	}
	return only
}

// texts returns the one column of a query.
func texts(ctx context.Context, db *dbutil.Database, query string, args ...any) ([]string, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err = rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// dropForeignKeys lets rows come in any order, since some tables refer to each other or to themselves. restore puts the keys back,
// which checks all rows.
func dropForeignKeys(ctx context.Context, to *dbutil.Database) (restore func() error, err error) {
	const query = `
		SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
			format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace`
	rows, err := to.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("failed to list foreign keys: %w", err)
	}
	defer rows.Close()
	var drops, adds []string
	for rows.Next() {
		var drop, add string
		if err = rows.Scan(&drop, &add); err != nil {
			return nil, fmt.Errorf("failed to list foreign keys: %w", err)
		}
		drops, adds = append(drops, drop), append(adds, add)
	}
	if err = errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("failed to list foreign keys: %w", err)
	}
	run := func(statements []string) error {
		for _, statement := range statements {
			if _, err := to.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}
	return func() error { return run(adds) }, run(drops)
}

// resetSequences lets numbers that PostgreSQL gives go on after the highest that was copied.
func resetSequences(ctx context.Context, to *dbutil.Database) error {
	statements, err := texts(ctx, to, `
		SELECT format('SELECT setval(pg_get_serial_sequence(%L, %L), COALESCE(max(%I), 0) + 1, false) FROM %I',
			quote_ident(table_name), column_name, column_name, table_name)
		FROM information_schema.columns
		WHERE table_schema = current_schema() AND (is_identity = 'YES' OR column_default LIKE 'nextval(%')`)
	if err != nil {
		return fmt.Errorf("failed to look for numbered columns: %w", err)
	}
	for _, statement := range statements {
		if _, err = to.Exec(ctx, statement); err != nil {
			return fmt.Errorf("failed to set a numbered column: %w", err)
		}
	}
	return nil
}

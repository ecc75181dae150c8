package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/sqlstatestore"

	"postern/database/upgrades"
)

// schema is one of those that share the database, with a version and steps of its own.
type schema struct {
	name string
	*dbutil.Database
}

// schemas returns all that share a database. Nothing is read or written.
func schemas(db *dbutil.Database, log dbutil.DatabaseLogger) []schema {
	ours := db.Child(versionTable, upgrades.Table, log)
	bridge := db.Child("version", nil, log) // bridgev2 sets the upgrades of what it is given
	all := []schema{
		{"bridge", ours},
		{"chat", mxdatabase.New("", mxdatabase.MetaTypes{}, bridge).Database},
		{"room state", sqlstatestore.NewSQLStateStore(db, log, false).Database},
		{"encryption", crypto.NewSQLCryptoStore(db, log, "", "", nil).DB},
	}
	for _, schema := range all {
		schema.IgnoreUnsupportedDatabase = false
	}
	return all
}

// stored returns the version that the database has, and the oldest whose programs can use it; 0 if it has none.
func (s *schema) stored(ctx context.Context) (version, compatible int, err error) {
	if exists, err := s.TableExists(ctx, s.VersionTable); err != nil || !exists {
		return 0, 0, err
	}
	var oldest sql.NullInt64
	err = s.QueryRow(ctx, "SELECT version, compat FROM "+s.VersionTable).Scan(&version, &oldest)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	} else if err != nil {
		return 0, 0, fmt.Errorf("failed to read the version of the %s tables: %w", s.name, err)
	}
	if compatible = version; oldest.Int64 > 0 {
		compatible = int(oldest.Int64)
	}
	return version, compatible, nil
}

// latest is the version that this program knows.
func (s *schema) latest() int { return len(s.UpgradeTable) }

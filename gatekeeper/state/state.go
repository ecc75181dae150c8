// Package state is the sandbox gatekeeper's memory: accounts, devices, prekeys, mailboxes and what it saw, in SQLite.
//
// SQLite has one writer, so one goroutine owns all writes that a message costs: it takes what waits, commits it in one
// transaction and then tells everyone (see [State.Store]). Everything else is written directly.
package state

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"sync"

	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream" // the sqlite3-fk-wal driver
)

//go:embed upgrades/*.sql
var upgradeFiles embed.FS

var upgrades = dbutil.BuildUpgradeTable().WithFSPath(upgradeFiles, "upgrades").Finish()

// Retention is how long a mailbox keeps what nobody fetched, and how long a message id is known as accepted: 30 days,
// the figure of the reference offer. In seconds.
const Retention = 30 * 24 * 60 * 60

var (
	// ErrUnknown is returned for an account or device that does not exist.
	ErrUnknown = errors.New("no such account or device")
	// ErrExists is returned when an account is made a second time.
	ErrExists = errors.New("account exists already")
)

// State is the open database. All methods are safe for concurrent use.
type State struct {
	db     *dbutil.Database
	writer *writer
	mail   *subscriptions

	sawMu     sync.Mutex
	sawChange chan struct{} // closed and replaced when a record is stored; guarded by sawMu
}

// Open opens or makes the database at path and starts the writer.
func Open(ctx context.Context, path string, log dbutil.DatabaseLogger) (*State, error) {
	db, err := dbutil.NewWithDialect("file:"+path+"?_txlock=immediate", "sqlite3-fk-wal")
	if err != nil {
		return nil, fmt.Errorf("failed to open the gatekeeper's database: %w", err)
	}
	db.Owner = "postern gatekeeper"
	db.Log = log
	db.UpgradeTable = upgrades
	if err = db.DoTxn(ctx, nil, db.Upgrade); err != nil { // all steps or none
		_ = db.Close()
		return nil, fmt.Errorf("failed to upgrade the gatekeeper's database: %w", err)
	}
	s := &State{db: db, mail: newSubscriptions(), sawChange: make(chan struct{})}
	if s.writer, err = startWriter(ctx, s); err != nil {
		_ = db.Close()
		return nil, err
	}
	return s, nil
}

// Close waits until all that was given to Store is committed and closes the database.
func (s *State) Close() error {
	return errors.Join(s.writer.stop(), s.db.Close())
}

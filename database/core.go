package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

// ErrNestedFailure: a nested Atomically failed and the outer one wanted to commit all the same.
var ErrNestedFailure = errors.New("a nested transaction failed, so the outer one cannot be committed")

// core is what every table of ours needs. Read-only once in use.
type core struct {
	db  *dbutil.Database
	key SecretKey
	now func() time.Time
	log zerolog.Logger
}

// accountSealer gives every account a key of its own: a sealed value can never be moved to another account.
func (c *core) accountSealer(account AccountID) *Sealer {
	return c.key.Sealer("account/" + strconv.FormatInt(int64(account), 10))
}

// transaction is carried by the context of an outermost atomically. It belongs to that call's goroutine.
type transaction struct {
	failed error
	locked AccountID
}

// transactionKey names the database too: a transaction in another one is none in this.
type transactionKey struct{ db *sql.DB }

// atomically runs fn in a transaction, or in the one that ctx carries. dbutil's own nesting lets an outer function
// swallow an inner failure and commit half of the work; here the outer one then fails.
func (c *core) atomically(ctx context.Context, fn func(ctx context.Context) error) error {
	key := transactionKey{c.db.RawDB}
	if outer, ok := ctx.Value(key).(*transaction); ok {
		err := fn(ctx)
		if err != nil && outer.failed == nil {
			outer.failed = err
		}
		return err
	}
	var txn transaction
	var panicked any
	err := c.db.DoTxn(context.WithValue(ctx, key, &txn), nil, func(ctx context.Context) (err error) {
		defer func() {
			// dbutil would leave the transaction open, and with it the write lock.
			if panicked = recover(); panicked != nil {
				err = fmt.Errorf("panic in a transaction: %v", panicked)
			}
		}()
		if err = fn(ctx); err == nil && txn.failed != nil {
			err = fmt.Errorf("%w: %w", ErrNestedFailure, txn.failed)
		}
		return err
	})
	if panicked != nil {
		panic(panicked)
	}
	return err
}

// missingIfDamaged makes of a sealed value that cannot be opened one that is not there, which is what [sql.ErrNoRows] says, and tells so
// in the log: one row must not stop all else of an account. Other errors, and none, stay as they are. column is where it was.
func (c *core) missingIfDamaged(err error, account AccountID, column string) error {
	if !errors.Is(err, ErrSealBroken) {
		return err
	}
	c.log.Error().Err(err).Int64("account", int64(account)).Str("column", column).
		Msg("A value in the database is damaged, it counts as missing")
	return sql.ErrNoRows
}

// exec runs a statement whose result nobody needs. what completes "failed to".
func (c *core) exec(ctx context.Context, what, query string, args ...any) error {
	if _, err := c.db.Exec(ctx, query, args...); err != nil {
		return fmt.Errorf("failed to %s: %w", what, err)
	}
	return nil
}

// queryAll scans every row of a query. A row that scan finds missing with [sql.ErrNoRows] is left out. what completes "failed to".
func queryAll[T any](
	ctx context.Context, c *core, what string, scan func(dbutil.Scannable) (T, error), query string, args ...any,
) ([]T, error) {
	rows, err := c.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("failed to %s: %w", what, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("failed to %s: %w", what, err)
		}
		all = append(all, one)
	}
	if err = rows.Err(); err != nil {
		return nil, fmt.Errorf("failed to %s: %w", what, err)
	}
	return all, nil
}

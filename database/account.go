package database

import (
	"context"

	"go.mau.fi/util/dbutil"

	"postern/interop"
)

// AccountID names one enlistment in our tables. It is random and never used again, so what is left of an erased account
// in a backup cannot be taken for another's. It means nothing to the gatekeeper.
type AccountID int64

// AccountStore is the state of one account. It implements [interop.Store] and costs about two KiB while in use.
//
// Writes outside of Atomically are transactions of their own. On SQLite a transaction holds the only write lock of the
// database: fn must not wait for the network.
type AccountStore struct {
	*core
	account AccountID
	sealer  *Sealer
}

var _ interop.Store = (*AccountStore)(nil)

// AccountStore returns the store of an enlistment that was created before. Stores of one account share nothing in
// memory, any number may exist.
func (db *Database) AccountStore(account AccountID) *AccountStore {
	return &AccountStore{core: &db.core, account: account, sealer: db.accountSealer(account)}
}

// open opens a sealed value of the account. One that is damaged is missing, which is [sql.ErrNoRows].
func (s *AccountStore) open(sealed []byte, column, row string) ([]byte, error) {
	value, err := s.sealer.Open(sealed, column, row)
	return value, s.missingIfDamaged(err, s.account, column)
}

// Atomically implements interop.Store. A panic in fn undoes the transaction and goes on. If ctx carries a transaction that
// the caller began with dbutil's DoTxn on the same database, fn runs in that one and is durable when it commits.
func (s *AccountStore) Atomically(ctx context.Context, fn func(ctx context.Context) error) error {
	if s.db.Dialect == dbutil.SQLite {
		return s.atomically(ctx, fn) // one transaction at a time is all there is
	}
	return s.atomically(ctx, func(ctx context.Context) error {
		if err := s.lock(ctx); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// lock makes the transactions of one account run one after another on PostgreSQL, so that what one read is still true when
// it writes. Other accounts go on. The lock is the enlistment's row, and ends with the transaction.
func (s *AccountStore) lock(ctx context.Context) error {
	txn, _ := ctx.Value(transactionKey{s.db.RawDB}).(*transaction)
	if txn != nil && txn.locked == s.account {
		return nil
	}
	err := s.exec(ctx, "lock an account", "SELECT 1 FROM postern_enlistment WHERE account = $1 FOR NO KEY UPDATE", s.account)
	if err == nil && txn != nil {
		txn.locked = s.account
	}
	return err
}

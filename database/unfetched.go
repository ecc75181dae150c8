package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"go.mau.fi/util/dbutil"
)

const unfetchedMessage = "postern_unfetched.message"

// Unfetched keeps messages of contacts whose file could not be fetched, so that it can be tried again. They hold
// the file's key. Messages are sealed, ids are not. All methods take one query.
type Unfetched struct {
	*core
	account AccountID
	sealer  *Sealer
}

// Unfetched returns the table of an enlistment that was created before.
func (db *Database) Unfetched(account AccountID) *Unfetched {
	return &Unfetched{core: &db.core, account: account, sealer: db.accountSealer(account)}
}

// PutUnfetched stores a message. One with the same id is replaced and counts as new.
func (u *Unfetched) PutUnfetched(ctx context.Context, id string, message []byte) error {
	return u.exec(ctx, "store an unfetched message", `
		INSERT INTO postern_unfetched (account, id, message, created) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, id) DO UPDATE SET message = excluded.message, created = excluded.created`,
		u.account, id, u.sealer.Seal(message, unfetchedMessage, id), toUnix(u.now()))
}

// Unfetched returns a message, nil if there is none with the id.
func (u *Unfetched) Unfetched(ctx context.Context, id string) ([]byte, error) {
	var sealed []byte
	err := u.db.QueryRow(ctx, "SELECT message FROM postern_unfetched WHERE account = $1 AND id = $2", u.account, id).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to load an unfetched message: %w", err)
	}
	message, err := u.sealer.Open(sealed, unfetchedMessage, id)
	if err != nil {
		return nil, fmt.Errorf("failed to load an unfetched message: %w", err)
	}
	return message, nil
}

// UnfetchedIDs returns the ids that begin with the prefix: of the newest messages, at most limit, the newest last.
func (u *Unfetched) UnfetchedIDs(ctx context.Context, prefix string, limit int) ([]string, error) {
	// Not LIKE, which takes no notice of case on SQLite.
	ids, err := queryAll(ctx, u.core, "list unfetched messages", dbutil.ScanSingleColumn[string], `
		SELECT id FROM postern_unfetched WHERE account = $1 AND substr(id, 1, $2) = $3
		ORDER BY created DESC, id DESC LIMIT $4`, u.account, utf8.RuneCountInString(prefix), prefix, limit)
	slices.Reverse(ids)
	return ids, err
}

// DeleteUnfetched forgets a message. Deleting what is not there is no error.
func (u *Unfetched) DeleteUnfetched(ctx context.Context, id string) error {
	return u.exec(ctx, "delete an unfetched message", "DELETE FROM postern_unfetched WHERE account = $1 AND id = $2", u.account, id)
}

// PruneUnfetched forgets the messages that were stored before the time.
func (u *Unfetched) PruneUnfetched(ctx context.Context, before time.Time) error {
	return u.exec(ctx, "prune unfetched messages", "DELETE FROM postern_unfetched WHERE account = $1 AND created < $2", u.account, toUnix(before))
}

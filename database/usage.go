package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// Usage counts what users take of their daily limits. A row holds one day; that of another day counts as nothing.
type Usage struct{ *core }

// Usage returns the table of what users took of their daily limits.
func (db *Database) Usage() Usage { return Usage{&db.core} }

// Used returns what is noted for a day, with one query. Days are counted from 1970.
func (u Usage) Used(ctx context.Context, userID, kind string, day int) (used int64, err error) {
	err = u.db.QueryRow(ctx, "SELECT used FROM postern_usage WHERE user_id = $1 AND kind = $2 AND day = $3", userID, kind, day).Scan(&used)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("failed to look how much of a limit was used: %w", err)
	}
	return used, nil
}

// SetUsed notes it in place of what was noted before, with one query.
func (u Usage) SetUsed(ctx context.Context, userID, kind string, day int, used int64) error {
	return u.exec(ctx, "note how much of a limit was used", `
		INSERT INTO postern_usage (user_id, kind, day, used) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id, kind) DO UPDATE SET day = excluded.day, used = excluded.used`, userID, kind, day, used)
}

// Used is what a user took of one limit.
type Used struct {
	Kind string `json:"kind"`
	// Day is counted from 1970, UTC.
	Day  int   `json:"day"`
	Used int64 `json:"used"`
}

// OfUser returns what is noted of a user; an empty list is not nil.
func (u Usage) OfUser(ctx context.Context, userID string) ([]Used, error) {
	all, err := queryAll(ctx, u.core, "look what limits a user used", func(row dbutil.Scannable) (used Used, err error) {
		err = row.Scan(&used.Kind, &used.Day, &used.Used)
		return used, err
	}, "SELECT kind, day, used FROM postern_usage WHERE user_id = $1 ORDER BY kind", userID)
	if err == nil && all == nil {
		all = []Used{}
	}
	return all, err
}

// Forget deletes what is noted for days before one.
func (u Usage) Forget(ctx context.Context, before int) error {
	return u.exec(ctx, "forget how much of a limit was used", "DELETE FROM postern_usage WHERE day < $1", before)
}

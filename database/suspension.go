package database

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// Suspension says that an admin took a user off. It is about all gatekeepers, and outlives the user's enlistments.
type Suspension struct {
	UserID string
	// Reason is a sentence that the user reads.
	Reason string
	// Actor is the admin, "" for the command line.
	Actor string
	At    time.Time
}

// Suspensions is the table of those who are suspended.
type Suspensions struct{ *core }

// Suspensions returns the table of those who are suspended.
func (db *Database) Suspensions() Suspensions { return Suspensions{&db.core} }

// Add suspends a user. It returns false, and changes nothing, for one who is suspended already.
func (s Suspensions) Add(ctx context.Context, suspension Suspension) (bool, error) {
	return s.changes(ctx, "suspend a user",
		"INSERT INTO postern_suspension (user_id, reason, actor, at) VALUES ($1, $2, $3, $4) ON CONFLICT (user_id) DO NOTHING",
		suspension.UserID, suspension.Reason, suspension.Actor, toUnix(suspension.At))
}

// Remove ends a user's suspension. It returns false if there is none.
func (s Suspensions) Remove(ctx context.Context, userID string) (bool, error) {
	return s.changes(ctx, "end a suspension", "DELETE FROM postern_suspension WHERE user_id = $1", userID)
}

func (s Suspensions) changes(ctx context.Context, what, query string, args ...any) (bool, error) {
	result, err := s.db.Exec(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("failed to %s: %w", what, err)
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// Reason is why a user is suspended. It returns false for one who is not.
func (s Suspensions) Reason(ctx context.Context, userID string) (string, bool, error) {
	found, err := queryAll(ctx, s.core, "look for a suspension", scanSuspension,
		"SELECT user_id, reason, actor, at FROM postern_suspension WHERE user_id = $1", userID)
	if err != nil || len(found) == 0 {
		return "", false, err
	}
	return found[0].Reason, true, nil
}

// All returns all suspensions, with one query.
func (s Suspensions) All(ctx context.Context) ([]Suspension, error) {
	return queryAll(ctx, s.core, "list suspensions", scanSuspension, "SELECT user_id, reason, actor, at FROM postern_suspension ORDER BY user_id")
}

func scanSuspension(row dbutil.Scannable) (suspension Suspension, err error) {
	var at int64
	err = row.Scan(&suspension.UserID, &suspension.Reason, &suspension.Actor, &at)
	suspension.At = fromUnix(at)
	return suspension, err
}

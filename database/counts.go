package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// EnlistmentCount is how many enlistments with a gatekeeper are in a state.
type EnlistmentCount struct {
	Gatekeeper string
	State      EnlistmentState
	Count      int
}

// CountEnlistments counts all enlistments with one query. For metrics.
func (e Enlistments) CountEnlistments(ctx context.Context) ([]EnlistmentCount, error) {
	return queryAll(ctx, e.core, "count enlistments", func(row dbutil.Scannable) (count EnlistmentCount, err error) {
		err = row.Scan(&count.Gatekeeper, &count.State, &count.Count)
		return count, err
	}, "SELECT gatekeeper, state, count(*) FROM postern_enlistment GROUP BY gatekeeper, state")
}

// OutboxCount is how many messages wait for a gatekeeper, and when the oldest was written.
type OutboxCount struct {
	Gatekeeper string
	Count      int
	Oldest     time.Time
}

// CountOutbox counts the messages that wait, with one query over the index of those. A gatekeeper without any is left out. For
// metrics.
func (e Enlistments) CountOutbox(ctx context.Context) ([]OutboxCount, error) {
	return queryAll(ctx, e.core, "count messages that wait", func(row dbutil.Scannable) (count OutboxCount, err error) {
		var oldest int64
		err = row.Scan(&count.Gatekeeper, &count.Count, &oldest)
		count.Oldest = fromUnix(oldest)
		return count, err
	}, `
		SELECT enlistment.gatekeeper, count(*), min(waiting.created)
		FROM postern_outgoing waiting JOIN postern_enlistment enlistment ON enlistment.account = waiting.account
		WHERE waiting.state = 0 GROUP BY enlistment.gatekeeper`)
}

// UnconnectedCount is how many of the enlisted were not connected for long, and when the first of them was, or enlisted.
type UnconnectedCount struct {
	Gatekeeper string
	Count      int
	Oldest     time.Time
}

// CountUnconnected counts the enlisted who did not connect since a time, with one query. A gatekeeper without any is left out.
func (e Enlistments) CountUnconnected(ctx context.Context, since time.Time) ([]UnconnectedCount, error) {
	return queryAll(ctx, e.core, "count who did not connect", func(row dbutil.Scannable) (count UnconnectedCount, err error) {
		var oldest int64
		err = row.Scan(&count.Gatekeeper, &count.Count, &oldest)
		count.Oldest = fromUnix(oldest)
		return count, err
	}, `
		SELECT gatekeeper, count(*), min(last) FROM (
			SELECT gatekeeper, CASE WHEN connected > created THEN connected ELSE created END AS last
			FROM postern_enlistment WHERE state = 'enlisted') AS enlisted
		WHERE last < $1 GROUP BY gatekeeper ORDER BY gatekeeper`, toUnix(since))
}

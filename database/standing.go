package database

import (
	"context"
	"database/sql"
	"time"

	"go.mau.fi/util/dbutil"
)

// connectedGrain is how exact [Enlistment].Connected is. It matters in days, and users may connect all the time.
const connectedGrain = time.Hour

// MarkConnected notes that the login to the gatekeeper succeeded, with one query that writes once an hour at most. It does
// nothing for an account that is not there.
func (e Enlistments) MarkConnected(ctx context.Context, account AccountID, at time.Time) error {
	return e.exec(ctx, "note a connection", "UPDATE postern_enlistment SET connected = $2 WHERE account = $1 AND connected < $3",
		account, toUnix(at), toUnix(at.Add(-connectedGrain)))
}

// Standing is what has to be known of an enlistment to tell whether it needs attention. It holds no keys.
type Standing struct {
	Account    AccountID
	Gatekeeper string
	UserID     string
	Login      string // "" while Enlisting
	State      EnlistmentState
	Connected  time.Time // see [Enlistment]
	// Waiting: messages wait in the outbox.
	Waiting bool
}

// Standings returns where all enlistments stand, with one query that opens no keys.
func (e Enlistments) Standings(ctx context.Context) ([]Standing, error) {
	return queryAll(ctx, e.core, "look where enlistments stand", scanStanding, `
		SELECT account, gatekeeper, user_id, login, state, connected,
			EXISTS (SELECT 1 FROM postern_outgoing waiting WHERE waiting.account = enlistment.account AND waiting.state = 0)
		FROM postern_enlistment enlistment ORDER BY connected, account`)
}

func scanStanding(row dbutil.Scannable) (standing Standing, err error) {
	var login sql.NullString
	var connected int64
	err = row.Scan(&standing.Account, &standing.Gatekeeper, &standing.UserID, &login, &standing.State, &connected, &standing.Waiting)
	standing.Login, standing.Connected = login.String, fromUnix(connected)
	return standing, err
}

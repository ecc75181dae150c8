package database

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
)

// Overview is what an admin sees of an enlistment. It holds no keys.
type Overview struct {
	UserID     string
	Gatekeeper string
	State      EnlistmentState
	Created    time.Time
	Connected  time.Time // see [Enlistment]
	// Blocked is how many contacts the user blocks.
	Blocked int
	// Suspended is when an admin suspended the user and why, zero and "" if nobody did.
	Suspended time.Time
	Reason    string
}

// Overview returns the enlistments that match, ordered by user, at most limit after the first ones, with one query that opens no keys. What is searched
// for is part of the Matrix ID, whatever its case, or a whole gatekeeper or state; "" is all. "suspended" finds who is.
func (e Enlistments) Overview(ctx context.Context, search string, offset, limit int) ([]Overview, error) {
	search = strings.ToLower(search)
	return queryAll(ctx, e.core, "list enlistments", scanOverview, `
		SELECT enlistment.user_id, gatekeeper, state, created, connected,
			(SELECT COUNT(*) FROM postern_contact contact WHERE contact.account = enlistment.account AND blocked),
			COALESCE(suspension.at, 0), COALESCE(reason, '')
		FROM postern_enlistment enlistment LEFT JOIN postern_suspension suspension ON suspension.user_id = enlistment.user_id
		WHERE LOWER(enlistment.user_id) LIKE $1 ESCAPE '!' OR gatekeeper = $2 OR state = $2
			OR (suspension.user_id IS NOT NULL AND $2 = 'suspended')
		ORDER BY enlistment.user_id, created, enlistment.account LIMIT $3 OFFSET $4`,
		"%"+likeEscaper.Replace(search)+"%", search, limit, offset)
}

var likeEscaper = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

func scanOverview(row dbutil.Scannable) (overview Overview, err error) {
	var created, connected, suspended int64
	err = row.Scan(&overview.UserID, &overview.Gatekeeper, &overview.State, &created, &connected,
		&overview.Blocked, &suspended, &overview.Reason)
	overview.Created, overview.Connected, overview.Suspended = fromUnix(created), fromUnix(connected), fromUnix(suspended)
	return overview, err
}

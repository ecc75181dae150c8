package database

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
)

// maxTraced bounds the rows of each table that one id finds.
const maxTraced = 16

// TracedPlace is a table in which a message waits, or is remembered.
type TracedPlace string

const (
	InOutbox    TracedPlace = "outbox"
	InKept      TracedPlace = "kept"      // of a contact who was not accepted
	InUnfetched TracedPlace = "unfetched" // its file could not be had
)

// Traced is what is stored of a message, without what it says.
type Traced struct {
	Place      TracedPlace
	ID         types.MessageID
	UserID     string // Matrix ID
	Gatekeeper string
	Enlistment EnlistmentState
	// Connected is about when the user's login last succeeded, zero if it never did.
	Connected time.Time
	// Created is when it was stored.
	Created time.Time

	// The others are of the outbox. Ref is what was given to Send.
	Ref string
	// Sent and Failed are both false while it waits.
	Sent, Failed bool
	Failure      string
	// Draft: its file is not carried yet.
	Draft bool
	// Held: it waits until the user agrees to the contact's new key.
	Held bool
}

// Trace finds what is stored under an id of the chat channel, or was given to Send with one of the references. It opens nothing that is
// sealed, walks over whole tables, and is meant for an admin who asks.
func (db *Database) Trace(ctx context.Context, id types.MessageID, refs [4]string) ([]Traced, error) {
	outbox, err := queryAll(ctx, &db.core, "look for a message in the outbox", scanTracedOutgoing, `
		SELECT outgoing.id, user_id, gatekeeper, enlistment.state, connected, outgoing.created, ref, outgoing.state, failure, draft, COALESCE(held, false)
		FROM postern_outgoing outgoing JOIN postern_enlistment enlistment ON enlistment.account = outgoing.account
		LEFT JOIN postern_contact contact ON contact.account = outgoing.account AND contact.contact = outgoing.chat
		WHERE outgoing.id = $1 OR ref IN ($2, $3, $4, $5) ORDER BY outgoing.created LIMIT $6`,
		id, refs[0], refs[1], refs[2], refs[3], maxTraced)
	if err != nil {
		return nil, err
	}
	kept, err := queryAll(ctx, &db.core, "look for a message of who was not accepted", tracedScanner(InKept), `
		SELECT kept.id, user_id, gatekeeper, enlistment.state, connected, kept.created
		FROM postern_kept kept JOIN postern_enlistment enlistment ON enlistment.account = kept.account
		WHERE kept.id = $1 ORDER BY kept.created LIMIT $2`, id, maxTraced)
	if err != nil {
		return nil, err
	}
	unfetched, err := queryAll(ctx, &db.core, "look for a message without its file", tracedScanner(InUnfetched), `
		SELECT unfetched.id, user_id, gatekeeper, enlistment.state, connected, unfetched.created
		FROM postern_unfetched unfetched JOIN postern_enlistment enlistment ON enlistment.account = unfetched.account
		WHERE unfetched.id LIKE $1 ESCAPE '!' ORDER BY unfetched.created LIMIT $2`, "%:"+likeEscaper.Replace(id), maxTraced)
	if err != nil {
		return nil, err
	}
	all := append(outbox, kept...)
	for _, one := range unfetched {
		if strings.HasSuffix(one.ID, ":"+id) { // LIKE takes no notice of case on SQLite
			one.ID = id
			all = append(all, one)
		}
	}
	return all, nil
}

func scanTracedOutgoing(row dbutil.Scannable) (traced Traced, err error) {
	var connected, created int64
	var state int
	err = row.Scan(&traced.ID, &traced.UserID, &traced.Gatekeeper, &traced.Enlistment, &connected, &created,
		&traced.Ref, &state, &traced.Failure, &traced.Draft, &traced.Held)
	traced.Place, traced.Connected, traced.Created = InOutbox, fromUnix(connected), fromUnix(created)
	traced.Sent, traced.Failed = state == storedSent, state == storedFailed
	return traced, err
}

func tracedScanner(place TracedPlace) func(dbutil.Scannable) (Traced, error) {
	return func(row dbutil.Scannable) (Traced, error) {
		traced := Traced{Place: place}
		var connected, created int64
		err := row.Scan(&traced.ID, &traced.UserID, &traced.Gatekeeper, &traced.Enlistment, &connected, &created)
		traced.Connected, traced.Created = fromUnix(connected), fromUnix(created)
		return traced, err
	}
}

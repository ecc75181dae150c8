// Package audit is what the bridge writes into the audit log: which kinds of things somebody did, and whom they are about.
package audit

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/database"
)

// Kind is what somebody did. It is stored.
type Kind string

// Kinds of what users, admins and the bridge itself do.
const (
	Consent     Kind = "consent"
	EEADeclare  Kind = "eea-declared"
	EEAWithdraw Kind = "eea-withdrawn"
	Enlist      Kind = "enlist"
	Lapse       Kind = "lapse"
	Leave       Kind = "leave"
	Erased      Kind = "erased"
	Block       Kind = "block"
	Unblock     Kind = "unblock"
	Report      Kind = "report"
	Suspend     Kind = "suspend"
	Unsuspend   Kind = "unsuspend"
	Listing     Kind = "list-users"
	PageLogin   Kind = "admin-page-login"
)

// CommandLine is the actor of what an admin does with the program beside the daemon.
const CommandLine = "command line"

// About is whom something was done to: the user, with a gatekeeper ("" for all), and what else it is about. Ids only, never
// content.
type About struct {
	User       id.UserID
	Gatekeeper string
	Subject    string
	// Contact is stored, in place of a subject, as a name that is always the same but does not tell who it is: the id holds a phone
	// number, and the log outlives the enlistment.
	Contact networkid.UserID
}

// Of is about an enlistment.
func Of(enlistment *database.Enlistment) About {
	return About{User: id.UserID(enlistment.UserID), Gatekeeper: enlistment.Gatekeeper}
}

// Log is the audit log of a database. Safe for concurrent use.
type Log struct {
	table database.Audit
	now   func() time.Time
}

// New opens the log. Keep it, it derives a key.
func New(db *database.Database, now func() time.Time) *Log { return &Log{table: db.Audit(), now: now} }

// Note adds who did something. The actor is a Matrix ID, "" for the bridge itself. What was done is done, so a
// failure is only logged. It takes one transaction of the database, or is part of the one that ctx carries.
func (l *Log) Note(ctx context.Context, kind Kind, actor id.UserID, about About) {
	if about.Contact != "" {
		about.Subject = l.table.Pseudonym(string(about.Contact))
	}
	err := l.table.Append(ctx, database.AuditEntry{
		At: l.now(), Kind: string(kind), Actor: actor.String(),
		UserID: about.User.String(), Gatekeeper: about.Gatekeeper, Subject: about.Subject,
	})
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Str("kind", string(kind)).Stringer("user_id", about.User).Msg("Failed to add to the audit log")
	}
}

// pruneEvery is how often old entries are looked for.
const pruneEvery = 24 * time.Hour

// Prune removes entries that are older than days, at once and every day, until ctx ends.
func (l *Log) Prune(ctx context.Context, days int) {
	timer := time.NewTicker(pruneEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		if err := l.table.Prune(ctx, l.now().AddDate(0, 0, -days)); err != nil && ctx.Err() == nil {
			zerolog.Ctx(ctx).Err(err).Msg("Failed to remove old entries of the audit log")
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

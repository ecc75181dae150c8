package connector

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge/consent"
	"postern/database"
)

// AuditKind is what somebody did. It is stored.
type AuditKind string

const (
	AuditConsent     AuditKind = "consent"
	AuditEEADeclare  AuditKind = "eea-declared"
	AuditEEAWithdraw AuditKind = "eea-withdrawn"
	AuditEnlist      AuditKind = "enlist"
	AuditLapse       AuditKind = "lapse"
	AuditLeave       AuditKind = "leave"
	AuditErased      AuditKind = "erased"
	AuditBlock       AuditKind = "block"
	AuditUnblock     AuditKind = "unblock"
	AuditReport      AuditKind = "report"
	AuditSuspend     AuditKind = "suspend"
	AuditUnsuspend   AuditKind = "unsuspend"
	AuditListing     AuditKind = "list-users"
	AuditPageLogin   AuditKind = "admin-page-login"
)

// CommandLine is the actor of what an admin does with the program beside the daemon.
const CommandLine = "command line"

// Audited is whom something was done to: the user, with a gatekeeper ("" for all), and what else it is about. Ids only, never
// content.
type Audited struct {
	User       id.UserID
	Gatekeeper string
	Subject    string
	// Contact is stored, in place of a subject, as a name that is always the same but does not tell who it is: the id holds a phone
	// number, and the log outlives the enlistment.
	Contact networkid.UserID
}

func auditedBy(enlistment *database.Enlistment) Audited {
	return Audited{User: id.UserID(enlistment.UserID), Gatekeeper: enlistment.Gatekeeper}
}

// Audit adds to the audit log who did something. The actor is a Matrix ID, "" for the bridge itself. What was done is done, so a
// failure is only logged. It takes one transaction of the database, or is part of the one that ctx carries.
func (n *Network) Audit(ctx context.Context, kind AuditKind, actor id.UserID, about Audited) {
	if about.Contact != "" {
		about.Subject = n.auditLog.Pseudonym(string(about.Contact))
	}
	err := n.auditLog.Append(ctx, database.AuditEntry{
		At: n.Clock.Now(), Kind: string(kind), Actor: actor.String(),
		UserID: about.User.String(), Gatekeeper: about.Gatekeeper, Subject: about.Subject,
	})
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Str("kind", string(kind)).Stringer("user_id", about.User).Msg("Failed to add to the audit log")
	}
}

func (n *Network) auditEEA(ctx context.Context, user id.UserID, gatekeeper string) {
	n.Audit(ctx, AuditEEADeclare, user, Audited{User: user, Gatekeeper: gatekeeper, Subject: fmt.Sprintf("version %d", consent.Current(consent.EEA))})
}

// auditEvery is how often old entries are looked for.
const auditEvery = 24 * time.Hour

// pruneAudit removes entries that are older than days, at the start and every day, until ctx ends.
func (n *Network) pruneAudit(ctx context.Context, days int) {
	for ctx.Err() == nil {
		if err := n.auditLog.Prune(ctx, n.Clock.Now().AddDate(0, 0, -days)); err != nil && ctx.Err() == nil {
			n.log.Err(err).Msg("Failed to remove old entries of the audit log")
		}
		pause(ctx, auditEvery)
	}
}

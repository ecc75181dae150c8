package bridge

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

// auditKind is what somebody did. It is stored.
type auditKind string

const (
	auditConsent     auditKind = "consent"
	auditEEADeclare  auditKind = "eea-declared"
	auditEEAWithdraw auditKind = "eea-withdrawn"
	auditEnlist      auditKind = "enlist"
	auditLapse       auditKind = "lapse"
	auditLeave       auditKind = "leave"
	auditErased      auditKind = "erased"
	auditBlock       auditKind = "block"
	auditUnblock     auditKind = "unblock"
	auditReport      auditKind = "report"
	auditSuspend     auditKind = "suspend"
	auditUnsuspend   auditKind = "unsuspend"
	auditListing     auditKind = "list-users"
	auditPageLogin   auditKind = "admin-page-login"
)

// commandLine is the actor of what an admin does with the program beside the daemon.
const commandLine = "command line"

// audited is whom something was done to: the user, with a gatekeeper ("" for all), and what else it is about. Ids only, never
// content.
type audited struct {
	user       id.UserID
	gatekeeper string
	subject    string
	// contact is stored, in place of a subject, as a name that is always the same but does not tell who it is: the id holds a phone
	// number, and the log outlives the enlistment.
	contact networkid.UserID
}

func auditedBy(enlistment *database.Enlistment) audited {
	return audited{user: id.UserID(enlistment.UserID), gatekeeper: enlistment.Gatekeeper}
}

// audit adds to the audit log who did something. The actor is a Matrix ID, "" for the bridge itself. What was done is done, so a
// failure is only logged. It takes one transaction of the database, or is part of the one that ctx carries.
func (n *Network) audit(ctx context.Context, kind auditKind, actor id.UserID, about audited) {
	if about.contact != "" {
		about.subject = n.auditLog.Pseudonym(string(about.contact))
	}
	err := n.auditLog.Append(ctx, database.AuditEntry{
		At: n.Clock.Now(), Kind: string(kind), Actor: actor.String(),
		UserID: about.user.String(), Gatekeeper: about.gatekeeper, Subject: about.subject,
	})
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Str("kind", string(kind)).Stringer("user_id", about.user).Msg("Failed to add to the audit log")
	}
}

func (n *Network) auditEEA(ctx context.Context, user id.UserID, gatekeeper string) {
	n.audit(ctx, auditEEADeclare, user, audited{user: user, gatekeeper: gatekeeper, subject: fmt.Sprintf("version %d", consent.Current(consent.EEA))})
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

package users

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/database"
)

// maxReason bounds why a user is suspended, in bytes.
const maxReason = 500

// There is nothing to change.
var (
	ErrSuspendedAlready = errors.New("the user is suspended already")
	ErrNotSuspended     = errors.New("the user is not suspended")
)

// Suspend notes that an admin suspends a user. It takes effect when a daemon that runs finds out, which is soon. Errors:
// [ErrSuspendedAlready].
func Suspend(ctx context.Context, db *database.Database, user id.UserID, reason, actor string) error {
	added, err := db.Suspensions().Add(ctx, database.Suspension{UserID: user.String(), Reason: reason, Actor: actor, At: db.Now()})
	if err == nil && !added {
		return ErrSuspendedAlready
	} else if err != nil {
		return err
	}
	return db.Audit().Append(ctx, database.AuditEntry{Kind: string(audit.Suspend), Actor: actor, UserID: user.String()})
}

// Unsuspend notes that a suspension is over, as Suspend does. Errors: [ErrNotSuspended].
func Unsuspend(ctx context.Context, db *database.Database, user id.UserID, actor string) error {
	removed, err := db.Suspensions().Remove(ctx, user.String())
	if err == nil && !removed {
		return ErrNotSuspended
	} else if err != nil {
		return err
	}
	return db.Audit().Append(ctx, database.AuditEntry{Kind: string(audit.Unsuspend), Actor: actor, UserID: user.String()})
}

var (
	errNotLocalUser = errors.New("that is not a user of this server")
	errNoReason     = errors.New("the reason is missing, which the user will read")
	errLongReason   = fmt.Errorf("the reason is longer than %d bytes", maxReason)
)

// ParseLocal reads a Matrix ID of the homeserver's own users.
func ParseLocal(text, domain string) (id.UserID, error) {
	user := id.UserID(text)
	if _, server, err := user.ParseAndValidateRelaxed(); err != nil || server != domain {
		return "", errNotLocalUser
	}
	return user, nil
}

// ParseSuspension reads whom to suspend and why. The reason becomes one line of plain text.
func ParseSuspension(name, reason, domain string) (id.UserID, string, error) {
	user, err := ParseLocal(name, domain)
	reason = strings.Join(strings.Fields(strings.ToValidUTF8(reason, "")), " ")
	switch {
	case err != nil:
		return "", "", err
	case reason == "":
		return "", "", errNoReason
	case len(reason) > maxReason:
		return "", "", errLongReason
	default:
		return user, reason, nil
	}
}

package users

import (
	"context"
	"errors"

	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/database"
)

// ErrNotEnlisted: a user has nobody to leave.
var ErrNotEnlisted = errors.New("the user is not enlisted with anyone, so there is nothing to erase")

// MarkErased marks all enlistments of a user as leaving, and returns them. The rest is done when a daemon that runs finds out, which is
// soon. Errors: [ErrNotEnlisted].
func MarkErased(ctx context.Context, db *database.Database, user id.UserID, actor string) ([]*database.Enlistment, error) {
	enlistments, err := db.Enlistments().MarkAllLeaving(ctx, user.String())
	if err == nil && len(enlistments) == 0 {
		err = ErrNotEnlisted
	}
	for _, enlistment := range enlistments {
		err = errors.Join(err, db.Audit().Append(ctx, database.AuditEntry{
			Kind: string(audit.Leave), Actor: actor, UserID: user.String(), Gatekeeper: enlistment.Gatekeeper,
		}))
	}
	return enlistments, err
}

package bridge

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/bridge/records"
	"postern/database"
)

// ErrNobody: nothing is stored about a user.
var ErrNobody = connector.ErrNobody

// ErrNotEnlisted: a user has nobody to leave.
var ErrNotEnlisted = errors.New("the user is not enlisted with anyone, so there is nothing to erase")

// ExportUser returns all that is stored about a user, as JSON, for the program beside the daemon, which may be running.
// Errors: [ErrNobody].
func ExportUser(ctx context.Context, cfg *config.Config, user id.UserID) ([]byte, error) {
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return nil, err
	}
	data := &connector.DataOf{Database: db, Records: records.New(raw, ""), Domain: cfg.Homeserver.Domain, Name: cfg.GatekeeperName}
	content, err := data.Export(ctx, user, time.Now())
	return content, errors.Join(err, raw.Close())
}

// EraseUser marks a user as one who leaves all gatekeepers, and returns those. The daemon does the rest, since it takes the
// gatekeepers and the homeserver: one that runs within half a minute, another one when it starts. Errors: [ErrNotEnlisted].
func EraseUser(ctx context.Context, cfg *config.Config, user id.UserID) (gatekeepers []string, err error) {
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return nil, err
	}
	enlistments, err := markErased(ctx, db, user, audit.CommandLine)
	for _, enlistment := range enlistments {
		gatekeepers = append(gatekeepers, cfg.GatekeeperName(enlistment.Gatekeeper))
	}
	return gatekeepers, errors.Join(err, raw.Close())
}

// PendingErasures returns what is not erased yet of a user who leaves, or of all users for "", for the program beside the daemon.
func PendingErasures(ctx context.Context, cfg *config.Config, user id.UserID) ([]connector.Pending, error) {
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return nil, err
	}
	data := &connector.DataOf{Database: db, Records: records.New(raw, ""), Domain: cfg.Homeserver.Domain, Name: cfg.GatekeeperName}
	pending, err := data.Pending(ctx, user, cfg.HasGatekeeper)
	return pending, errors.Join(err, raw.Close())
}

// markErased is what an admin does to erase a user. A daemon that runs finds out soon. Errors: [ErrNotEnlisted].
func markErased(ctx context.Context, db *database.Database, user id.UserID, actor string) ([]*database.Enlistment, error) {
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

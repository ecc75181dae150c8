package bridge

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/bridge/config"
	"postern/bridge/records"
	"postern/bridge/users"
)

var (
	// ErrNobody: nothing is stored about a user.
	ErrNobody = users.ErrNobody
	// ErrNotEnlisted: a user has nobody to leave.
	ErrNotEnlisted = users.ErrNotEnlisted
)

// ExportUser returns all that is stored about a user, as JSON, for the program beside the daemon, which may be running.
// Errors: [ErrNobody].
func ExportUser(ctx context.Context, cfg *config.Config, user id.UserID) ([]byte, error) {
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return nil, err
	}
	data := &users.Data{Database: db, Records: records.New(raw, ""), Domain: cfg.Homeserver.Domain, Name: cfg.GatekeeperName}
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
	enlistments, err := users.MarkErased(ctx, db, user, audit.CommandLine)
	for _, enlistment := range enlistments {
		gatekeepers = append(gatekeepers, cfg.GatekeeperName(enlistment.Gatekeeper))
	}
	return gatekeepers, errors.Join(err, raw.Close())
}

// PendingErasures returns what is not erased yet of a user who leaves, or of all users for "", for the program beside the daemon.
func PendingErasures(ctx context.Context, cfg *config.Config, user id.UserID) ([]users.Pending, error) {
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return nil, err
	}
	data := &users.Data{Database: db, Records: records.New(raw, ""), Domain: cfg.Homeserver.Domain, Name: cfg.GatekeeperName}
	pending, err := data.Pending(ctx, user, cfg.HasGatekeeper)
	return pending, errors.Join(err, raw.Close())
}

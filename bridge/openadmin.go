package bridge

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/bridge/config"
	"postern/bridge/users"
	"postern/database"
)

// What admins do with the program beside the daemon, which may be running.

var (
	// ErrSuspendedAlready and ErrNotSuspended: there is nothing to change.
	ErrSuspendedAlready = users.ErrSuspendedAlready
	ErrNotSuspended     = users.ErrNotSuspended
)

// ListUsers returns the enlistments that match a search, see [database.Enlistments.Overview].
func ListUsers(ctx context.Context, cfg *config.Config, search string) (found []users.Listed, err error) {
	err = beside(ctx, cfg, func(db *database.Database) error {
		if found, err = users.List(ctx, db, search, 0, users.MaxListed); err != nil {
			return err
		}
		return db.Audit().Append(ctx, database.AuditEntry{Kind: string(audit.Listing), Actor: audit.CommandLine, Subject: search})
	})
	return found, err
}

// SuspendUser suspends a user of the homeserver. A daemon that runs disconnects them within half a minute. Errors:
// [ErrSuspendedAlready], and sentences about what is wrong with the input.
func SuspendUser(ctx context.Context, cfg *config.Config, user id.UserID, reason string) error {
	user, reason, err := users.ParseSuspension(user.String(), reason, cfg.Homeserver.Domain)
	if err != nil {
		return err
	}
	return beside(ctx, cfg, func(db *database.Database) error {
		return users.Suspend(ctx, db, user, reason, audit.CommandLine)
	})
}

// UnsuspendUser ends a suspension. Errors: [ErrNotSuspended].
func UnsuspendUser(ctx context.Context, cfg *config.Config, user id.UserID) error {
	return beside(ctx, cfg, func(db *database.Database) error {
		return users.Unsuspend(ctx, db, user, audit.CommandLine)
	})
}

// AuditEntry says who did what.
type AuditEntry = database.AuditEntry

// auditPage is how many entries of the audit log are loaded at a time.
const auditPage = 1000

// ReadAudit hands out the entries of the audit log since a time, oldest first.
func ReadAudit(ctx context.Context, cfg *config.Config, since time.Time, each func(AuditEntry) error) error {
	return beside(ctx, cfg, func(db *database.Database) error {
		log, after := db.Audit(), int64(0)
		for {
			page, err := log.Page(ctx, after, since, auditPage)
			if err != nil {
				return err
			}
			for _, entry := range page {
				if err = each(entry); err != nil {
					return err
				}
				after = entry.Seq
			}
			if len(page) < auditPage {
				return nil
			}
		}
	})
}

// VerifyAudit checks that the audit log is what was written. It returns the number of entries and the hash of the last one. Errors:
// [database.ErrAuditBroken].
func VerifyAudit(ctx context.Context, cfg *config.Config) (count int64, head []byte, err error) {
	err = beside(ctx, cfg, func(db *database.Database) error {
		count, head, err = db.Audit().Verify(ctx)
		return err
	})
	return count, head, err
}

func beside(ctx context.Context, cfg *config.Config, do func(*database.Database) error) error {
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(db), raw.Close())
}

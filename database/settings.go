package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// SetSetting notes one setting of a user, in two queries; "" takes it back. What the settings mean is the caller's business.
// Errors: [ErrNoEnlistment].
func (e Enlistments) SetSetting(ctx context.Context, account AccountID, name, value string) error {
	return e.atomically(ctx, func(ctx context.Context) error {
		var text string
		// Of two who change a setting at the same time, the second sees what the first did: the row is locked.
		err := e.db.QueryRow(ctx, "UPDATE postern_enlistment SET settings = settings WHERE account = $1 RETURNING settings", account).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoEnlistment
		} else if err != nil {
			return fmt.Errorf("failed to load settings: %w", err)
		}
		settings, err := parseSettings(text)
		if err != nil {
			return err
		}
		if settings == nil {
			settings = make(map[string]string)
		}
		if settings[name] = value; value == "" {
			delete(settings, name)
		}
		changed, err := json.Marshal(settings)
		if err != nil {
			return fmt.Errorf("failed to store a setting: %w", err)
		}
		return e.update(ctx, "UPDATE postern_enlistment SET settings = $2 WHERE account = $1", account, string(changed))
	})
}

// parseSettings returns nil if nothing was set.
func parseSettings(text string) (settings map[string]string, err error) {
	if text == "" {
		return nil, nil
	}
	if err = json.Unmarshal([]byte(text), &settings); err != nil {
		return nil, fmt.Errorf("failed to read settings: %w", err)
	}
	return settings, nil
}

// Renew puts a new enlistment in the place of one that lapsed, in one transaction: all that was kept for the old account is
// erased, except what the user decided and set, which goes over to the new one. What was about the old
// keys or the old account's blocklist does not. Errors: [ErrNoEnlistment].
func (e Enlistments) Renew(ctx context.Context, old AccountID, enlistment *Enlistment) error {
	return e.atomically(ctx, func(ctx context.Context) error {
		// A user has one enlistment with a gatekeeper, so the old one makes place.
		err := e.update(ctx, "UPDATE postern_enlistment SET user_id = user_id || '/' || account, login = NULL WHERE account = $1", old)
		if err != nil {
			return err
		}
		if err = e.Create(ctx, enlistment); err != nil {
			return err
		}
		err = e.update(ctx, `UPDATE postern_enlistment SET settings = (SELECT settings FROM postern_enlistment WHERE account = $2)
			WHERE account = $1`, enlistment.Account, old)
		if err != nil {
			return err
		}
		keptOf := func(account AccountID) *Kept {
			return &Kept{core: e.core, account: account, sealer: e.accountSealer(account)}
		}
		if err = keptOf(enlistment.Account).take(ctx, keptOf(old)); err != nil {
			return err
		}
		if err = e.exec(ctx, "take a user's decisions over", `
			UPDATE postern_contact SET account = $1, listed = false, compared = NULL, held = false WHERE account = $2`, enlistment.Account, old); err != nil {
			return err
		}
		return e.Delete(ctx, old)
	})
}

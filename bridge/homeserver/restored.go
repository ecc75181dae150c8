package homeserver

import (
	"context"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// ForgetSessions makes an old copy of the database usable: the sessions of the bot's device went on since, so the next start makes a
// new device, and what was known of rooms' members may be wrong, so the homeserver is asked again. Keys of messages that were
// received stay. Tables that are not there yet are left out.
func ForgetSessions(ctx context.Context, db *dbutil.Database, kv KV) error {
	for _, table := range []string{
		"crypto_megolm_outbound_session", "crypto_megolm_outbound_session_shared", "crypto_olm_session", "crypto_olm_message_hash",
		"crypto_account", "crypto_tracked_user", "crypto_device",
		"mx_user_profile", "mx_room_state",
	} {
		exists, err := db.TableExists(ctx, table)
		if err != nil {
			return fmt.Errorf("failed to look for %s: %w", table, err)
		} else if !exists {
			continue
		}
		if _, err = db.Exec(ctx, "DELETE FROM "+table); err != nil {
			return fmt.Errorf("failed to erase %s: %w", table, err)
		}
	}
	// Messages whose key was late then. It will not come to the new device.
	if err := kv.Delete(ctx, lateEventsKey); err != nil {
		return fmt.Errorf("failed to forget messages without keys: %w", err)
	}
	return nil
}

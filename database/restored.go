package database

import (
	"context"
	"fmt"
	"time"
)

// restoredName is the value that tells of which time the copy was that this database began as.
const restoredName = "database.restored"

// ForgetSessions makes an old copy of the database usable. Since then sessions went on, one-time keys were given out, and messages
// were sent: what is here of that would be used a second time, which breaks the encryption of both uses. So it is erased, and
// everyone who was enlisted has to enlist again, with new keys; their chats stay. Whoever was about to enlist begins anew, whoever
// leaves goes on with that.
//
// It returns how many have to enlist again. made is when the copy was made; see [Database.Restored].
func (db *Database) ForgetSessions(ctx context.Context, made time.Time) (lapsed int64, err error) {
	err = db.atomically(ctx, func(ctx context.Context) error {
		for _, table := range []string{
			"postern_session", "postern_identity", "postern_prekey", "postern_signed_prekey", "postern_outgoing", "postern_received",
			"postern_room_key", // in the name of devices that there will not be any more
		} {
			if err := db.exec(ctx, "erase "+table, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		if err := db.exec(ctx, "erase begun enlistments", "DELETE FROM postern_enlistment WHERE state = $1", Enlisting); err != nil {
			return err
		}
		result, err := db.db.Exec(ctx, "UPDATE postern_enlistment SET state = $1 WHERE state = $2", Lapsed, Enlisted)
		if err != nil {
			return fmt.Errorf("failed to end the enlistments: %w", err)
		}
		if lapsed, err = result.RowsAffected(); err != nil {
			return fmt.Errorf("failed to end the enlistments: %w", err)
		}
		kv := db.KV()
		if err = kv.Set(ctx, restoredName, []byte(made.UTC().Format(time.RFC3339)+" "+db.now().UTC().Format(time.RFC3339Nano))); err != nil {
			return err
		}
		return kv.Delete(ctx, copyName)
	})
	return lapsed, err
}

// Restored returns, of a database that was put back from a copy, when that was made and when it was put back; zero of others.
func (db *Database) Restored(ctx context.Context) (made, restored time.Time, err error) {
	value, err := db.KV().Get(ctx, restoredName)
	if err != nil || value == nil {
		return made, restored, err
	}
	var first, second string
	if _, err = fmt.Sscan(string(value), &first, &second); err != nil {
		return made, restored, fmt.Errorf("failed to read when the database was restored: %w", err)
	}
	if made, err = time.Parse(time.RFC3339, first); err != nil {
		return made, restored, fmt.Errorf("failed to read when the database was restored: %w", err)
	}
	restored, err = time.Parse(time.RFC3339, second)
	return made, restored, err
}

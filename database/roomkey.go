package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

const roomKeyKey = "postern_room_key.room_key"

// RoomKey is the key of a Matrix room that a device did not get.
type RoomKey struct {
	User, Device string // who lacks it
	Session      string
	Owner        string // whose messages it is for
	Room         string
	Key          []byte
	// Created is when it was stored for the first time.
	Created time.Time
}

// RoomKeys keeps keys until they can be delivered. Keys are sealed, ids are not.
type RoomKeys struct {
	*core
	sealer *Sealer
}

// RoomKeys returns the table of room keys. Keep it, it derives a key.
func (db *Database) RoomKeys() *RoomKeys {
	return &RoomKeys{core: &db.core, sealer: db.key.Sealer("room_key")}
}

// Put stores keys, all or none. One that is there stays. If the key's device lacks more than limit keys, its oldest are forgotten.
func (r *RoomKeys) Put(ctx context.Context, keys []RoomKey, limit int) error {
	return r.atomically(ctx, func(ctx context.Context) error {
		for _, key := range keys {
			err := r.exec(ctx, "store a room key", `
				INSERT INTO postern_room_key (user_id, device, session, owner, room, room_key, created) VALUES ($1, $2, $3, $4, $5, $6, $7)
				ON CONFLICT (user_id, device, session) DO NOTHING`,
				key.User, key.Device, key.Session, key.Owner, key.Room, r.sealer.Seal(key.Key, roomKeyContext(key)...), toUnix(r.now()))
			if err != nil {
				return err
			}
			err = r.exec(ctx, "bound the room keys of a device", `
				DELETE FROM postern_room_key WHERE user_id = $1 AND device = $2 AND session IN (
					SELECT session FROM postern_room_key WHERE user_id = $1 AND device = $2 ORDER BY created DESC, session LIMIT $4 OFFSET $3)`,
				key.User, key.Device, limit, maxRoomKeys)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// maxRoomKeys is more than there are of any device. SQLite has no OFFSET without a LIMIT.
const maxRoomKeys = 1 << 30

// roomKeyContext is the place of a sealed key.
func roomKeyContext(key RoomKey) []string {
	return []string{roomKeyKey, key.User, key.Device, key.Session, key.Owner, key.Room}
}

// Devices returns devices that lack keys, as keys without anything but User and Device: at most limit, those that have waited
// longest.
func (r *RoomKeys) Devices(ctx context.Context, limit int) ([]RoomKey, error) {
	scan := func(row dbutil.Scannable) (key RoomKey, err error) { return key, row.Scan(&key.User, &key.Device) }
	return queryAll(ctx, r.core, "list devices that lack room keys", scan, `
		SELECT user_id, device FROM postern_room_key GROUP BY user_id, device ORDER BY min(created), user_id, device LIMIT $1`, limit)
}

// Of returns keys that a device lacks: the oldest, at most limit.
func (r *RoomKeys) Of(ctx context.Context, user, device string, limit int) ([]RoomKey, error) {
	return queryAll(ctx, r.core, "load room keys", r.scan, `
		SELECT user_id, device, session, owner, room, room_key, created FROM postern_room_key
		WHERE user_id = $1 AND device = $2 ORDER BY created, session LIMIT $3`, user, device, limit)
}

func (r *RoomKeys) scan(row dbutil.Scannable) (key RoomKey, err error) {
	var sealed []byte
	var created int64
	if err = row.Scan(&key.User, &key.Device, &key.Session, &key.Owner, &key.Room, &sealed, &created); err != nil {
		return key, err
	}
	key.Created = fromUnix(created)
	key.Key, err = r.sealer.Open(sealed, roomKeyContext(key)...)
	return key, r.missingIfDamaged(err, 0, roomKeyKey)
}

// Delete forgets the key of a session for a device. Deleting what is not there is no error.
func (r *RoomKeys) Delete(ctx context.Context, user, device, session string) error {
	return r.exec(ctx, "delete a room key", "DELETE FROM postern_room_key WHERE user_id = $1 AND device = $2 AND session = $3", user, device, session)
}

// DeleteDevice forgets the keys that a device lacks.
func (r *RoomKeys) DeleteDevice(ctx context.Context, user, device string) error {
	return r.exec(ctx, "delete the room keys of a device", "DELETE FROM postern_room_key WHERE user_id = $1 AND device = $2", user, device)
}

// DeleteOwner forgets the keys of someone's messages.
func (r *RoomKeys) DeleteOwner(ctx context.Context, owner string) error {
	return r.exec(ctx, "delete the room keys of a sender", "DELETE FROM postern_room_key WHERE owner = $1", owner)
}

// DeleteRoom forgets the keys of a room.
func (r *RoomKeys) DeleteRoom(ctx context.Context, room string) error {
	return r.exec(ctx, "delete the keys of a room", "DELETE FROM postern_room_key WHERE room = $1", room)
}

// Prune forgets the keys that were stored before the time.
func (r *RoomKeys) Prune(ctx context.Context, before time.Time) error {
	return r.exec(ctx, "prune room keys", "DELETE FROM postern_room_key WHERE created < $1", toUnix(before))
}

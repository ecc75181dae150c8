package database_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/database"
)

// roomKeys returns the table, with a clock that moves on by an hour with every use.
func roomKeys(t *testing.T, raw *dbutil.Database) *database.RoomKeys {
	t.Helper()
	now := time.Unix(1_760_000_000, 0)
	return upgraded(t, raw).WithClock(func() time.Time { now = now.Add(time.Hour); return now }).RoomKeys()
}

func roomKey(device, session string) database.RoomKey {
	return database.RoomKey{
		User: "@alice:example.org", Device: device, Session: session, Owner: "@bob:example.org", Room: "!room", Key: []byte("key of " + session),
	}
}

// sessions are those whose keys a device lacks.
func sessions(t *testing.T, keys *database.RoomKeys, device string) (all []string) {
	t.Helper()
	for _, key := range must(keys.Of(context.Background(), "@alice:example.org", device, 99)) {
		if string(key.Key) != "key of "+key.Session || key.Owner != "@bob:example.org" || key.Created.IsZero() {
			t.Errorf("a key came back as %+v", key)
		}
		all = append(all, key.Session)
	}
	return all
}

func TestRoomKeysAreKeptUntilDeleted(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		keys := roomKeys(t, raw)
		check(t, keys.Put(ctx, []database.RoomKey{roomKey("A", "2"), roomKey("B", "2")}, 9))
		check(t, keys.Put(ctx, []database.RoomKey{roomKey("A", "1")}, 9))
		check(t, keys.Put(ctx, []database.RoomKey{roomKey("A", "2")}, 9)) // is there, and stays the oldest
		if got := sessions(t, keys, "A"); !slices.Equal(got, []string{"2", "1"}) {
			t.Errorf("A lacks %q", got)
		}
		if devices := must(keys.Devices(ctx, 9)); len(devices) != 2 || devices[0].Device != "A" || devices[1].Device != "B" {
			t.Errorf("devices %+v", devices)
		}
		if devices := must(keys.Devices(ctx, 1)); len(devices) != 1 {
			t.Errorf("%d devices of at most one", len(devices))
		}
		check(t, keys.Delete(ctx, "@alice:example.org", "A", "2"))
		check(t, keys.Delete(ctx, "@alice:example.org", "A", "2"))
		check(t, keys.DeleteDevice(ctx, "@alice:example.org", "B"))
		if a, b := sessions(t, keys, "A"), sessions(t, keys, "B"); !slices.Equal(a, []string{"1"}) || b != nil {
			t.Errorf("left are %q and %q", a, b)
		}
	})
}

func TestRoomKeysAreBoundedByCountAndAge(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		keys := roomKeys(t, raw)
		for i := range 5 {
			check(t, keys.Put(ctx, []database.RoomKey{roomKey("A", fmt.Sprint(i)), roomKey("B", fmt.Sprint(i))}, 3))
		}
		if got := sessions(t, keys, "A"); !slices.Equal(got, []string{"2", "3", "4"}) {
			t.Errorf("A lacks %q", got)
		}
		newest := must(keys.Of(ctx, "@alice:example.org", "A", 9))[2].Created
		check(t, keys.Prune(ctx, newest))
		if a, b := sessions(t, keys, "A"), sessions(t, keys, "B"); !slices.Equal(a, []string{"4"}) || !slices.Equal(b, []string{"4"}) {
			t.Errorf("left are %q and %q", a, b)
		}
	})
}

func TestRoomKeysGoWithTheirRoomAndTheirSender(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		keys := roomKeys(t, raw)
		room, owner := roomKey("A", "room"), roomKey("A", "owner")
		room.Room, owner.Owner = "!other", "@carol:example.org"
		check(t, keys.Put(ctx, []database.RoomKey{room, owner, roomKey("A", "1")}, 9))
		check(t, keys.DeleteRoom(ctx, "!other"))
		check(t, keys.DeleteOwner(ctx, "@carol:example.org"))
		if got := sessions(t, keys, "A"); !slices.Equal(got, []string{"1"}) {
			t.Errorf("left are %q", got)
		}
	})
}

func TestRoomKeyCannotBeMovedToAnotherDevice(t *testing.T) {
	raw := openSQLite(t, "")
	ctx := context.Background()
	keys := roomKeys(t, raw)
	check(t, keys.Put(ctx, []database.RoomKey{roomKey("A", "1")}, 9))
	_, err := raw.Exec(ctx, "UPDATE postern_room_key SET device = 'MALLORY'")
	check(t, err)
	if got, err := keys.Of(ctx, "@alice:example.org", "MALLORY", 9); len(got) != 0 || err != nil {
		t.Errorf("got %d keys, error %v", len(got), err)
	}
}

package database_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
)

func TestUnfetchedMessagesAreKeptUntilDeleted(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		unfetched, other := twoUnfetched(t, upgraded(t, raw))
		expect := func(want string) {
			t.Helper()
			if got := must(unfetched.Unfetched(ctx, "A")); string(got) != want || (got == nil) != (want == "") {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		expect("")
		check(t, unfetched.PutUnfetched(ctx, "A", []byte("one")))
		check(t, unfetched.PutUnfetched(ctx, "A", []byte("two")))
		expect("two")
		if got := must(other.Unfetched(ctx, "A")); got != nil {
			t.Error("another account has the message")
		}
		check(t, other.DeleteUnfetched(ctx, "A"))
		expect("two")
		check(t, unfetched.DeleteUnfetched(ctx, "A"))
		check(t, unfetched.DeleteUnfetched(ctx, "A"))
		expect("")
	})
}

func TestUnfetchedIDsAreListedByPrefixNewestLast(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		now := time.Unix(1_760_000_000, 0)
		unfetched, other := twoUnfetched(t, upgraded(t, raw).WithClock(func() time.Time { now = now.Add(time.Hour); return now }))
		for _, id := range []string{"a_%\\ü:2", "a_%\\ü:1", "b", "A_%\\ü:3", "axxx", "a_%\\ü:4", "a_%\\ü:2"} { // the first once more
			check(t, unfetched.PutUnfetched(ctx, id, []byte("message")))
		}
		check(t, other.PutUnfetched(ctx, "a_%\\ü:5", []byte("message")))
		for _, test := range []struct {
			prefix string
			limit  int
			want   []string
		}{
			{"a_%\\ü:", 9, []string{"a_%\\ü:1", "a_%\\ü:4", "a_%\\ü:2"}},
			{"a_%\\ü:", 2, []string{"a_%\\ü:4", "a_%\\ü:2"}},
			{"a", 1, []string{"a_%\\ü:2"}},
			{"", 3, []string{"axxx", "a_%\\ü:4", "a_%\\ü:2"}},
			{"c", 9, nil},
		} {
			if got := must(unfetched.UnfetchedIDs(ctx, test.prefix, test.limit)); !slices.Equal(got, test.want) {
				t.Errorf("%q, %d: got %q, want %q", test.prefix, test.limit, got, test.want)
			}
		}
	})
}

func TestOldUnfetchedMessagesArePruned(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		now := time.Unix(1_760_000_000, 0)
		unfetched, other := twoUnfetched(t, upgraded(t, raw).WithClock(func() time.Time { return now }))
		check(t, unfetched.PutUnfetched(ctx, "old", []byte("message")))
		check(t, other.PutUnfetched(ctx, "old", []byte("message")))
		now = now.Add(time.Hour)
		check(t, unfetched.PutUnfetched(ctx, "new", []byte("message")))
		check(t, unfetched.PruneUnfetched(ctx, now))
		if got := must(unfetched.UnfetchedIDs(ctx, "", 9)); !slices.Equal(got, []string{"new"}) {
			t.Errorf("left are %q", got)
		}
		if got := must(other.UnfetchedIDs(ctx, "", 9)); len(got) != 1 {
			t.Errorf("of another account %q are left", got)
		}
	})
}

// TestUnfetchedMessagesCannotBeSwapped plays somebody who can write the database but has no secret key.
func TestUnfetchedMessagesCannotBeSwapped(t *testing.T) {
	ctx := context.Background()
	for name, attack := range map[string]string{
		"id":      "UPDATE postern_unfetched SET message = (SELECT message FROM postern_unfetched WHERE account = %d AND id = 'B')",
		"account": "UPDATE postern_unfetched SET message = (SELECT message FROM postern_unfetched WHERE account <> %d AND id = 'A')",
		"outbox":  "UPDATE postern_unfetched SET message = (SELECT plaintext FROM postern_outgoing WHERE account = %d AND id = 'A')",
		"bits":    "UPDATE postern_unfetched SET message = x'01' || zeroblob(60) WHERE account = %d",
	} {
		t.Run(name, func(t *testing.T) {
			raw := openSQLite(t, "")
			db := database.New(raw, testKey, zerolog.Nop())
			check(t, db.Upgrade(ctx))
			victim, other := enlistment(), enlistment()
			check(t, db.Enlistments().Create(ctx, victim))
			check(t, db.Enlistments().Create(ctx, other))
			fill(t, db.AccountStore(victim.Account))
			unfetched := db.Unfetched(victim.Account)
			check(t, unfetched.PutUnfetched(ctx, "A", []byte("one")))
			check(t, unfetched.PutUnfetched(ctx, "B", []byte("two")))
			check(t, db.Unfetched(other.Account).PutUnfetched(ctx, "A", []byte("three")))
			_, err := raw.Exec(ctx, fmt.Sprintf(attack, victim.Account))
			check(t, err)
			if got, err := unfetched.Unfetched(ctx, "A"); !errors.Is(err, database.ErrSealBroken) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func twoUnfetched(t *testing.T, db *database.Database) (one, other *database.Unfetched) {
	t.Helper()
	alice, bob := enlistment(), enlistment()
	check(t, db.Enlistments().Create(context.Background(), alice))
	check(t, db.Enlistments().Create(context.Background(), bob))
	return db.Unfetched(alice.Account), db.Unfetched(bob.Account)
}

package database_test

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/interop"
)

func TestStandingsTellWhoNeedsAttention(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		table := db.Enlistments()
		begun, busy, silent := enlistment(), enlistment(), enlistment()
		begun.UserID, busy.UserID, silent.UserID = "@begun:example.org", "@busy:example.org", "@silent:example.org"
		for login, user := range map[string]*database.Enlistment{"": begun, "wa-1": busy, "wa-2": silent} {
			check(t, table.Create(ctx, user))
			if login != "" {
				check(t, table.MarkEnlisted(ctx, user.Account, aliceJID, login))
			}
		}
		message := interop.Outgoing{ID: "A", Chat: aliceJID, Plaintext: []byte("text"), Created: frozenTime}
		must(db.AccountStore(busy.Account).Enqueue(ctx, message))
		must(db.AccountStore(silent.Account).Enqueue(ctx, message))
		check(t, db.AccountStore(silent.Account).SetOutgoingSent(ctx, "A", nil))
		check(t, table.MarkConnected(ctx, silent.Account, frozenTime))

		all := must(table.Standings(ctx))
		if len(all) != 3 {
			t.Fatalf("%d are told", len(all))
		}
		for _, got := range all {
			want := database.Standing{Gatekeeper: "whatsapp", UserID: got.UserID, State: database.Enlisted}
			switch got.UserID {
			case begun.UserID:
				want.Account, want.State = begun.Account, database.Enlisting
			case busy.UserID:
				want.Account, want.Login, want.Waiting = busy.Account, "wa-1", true
			case silent.UserID:
				want.Account, want.Login, want.Connected = silent.Account, "wa-2", got.Connected
				if !got.Connected.Equal(frozenTime) {
					t.Errorf("connected at %s", got.Connected)
				}
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		if all[2].UserID != silent.UserID {
			t.Error("who was away longest does not come first")
		}
	})
}

func TestConnectionsAreNotedToTheHour(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		table := upgraded(t, raw).Enlistments()
		alice := enlistment()
		check(t, table.Create(ctx, alice))
		for _, step := range []struct{ at, want time.Duration }{{0, 0}, {59 * time.Minute, 0}, {61 * time.Minute, 61 * time.Minute}, {0, 61 * time.Minute}} {
			check(t, table.MarkConnected(ctx, alice.Account, frozenTime.Add(step.at)))
			if got := must(table.Find(ctx, alice.Gatekeeper, alice.UserID)).Connected; !got.Equal(frozenTime.Add(step.want)) {
				t.Errorf("after %s: %s", step.at, got.Sub(frozenTime))
			}
		}
		check(t, table.MarkConnected(ctx, alice.Account+2, frozenTime)) // nobody
	})
}

package database_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/database"
)

func TestADailyLimitIsCountedForOneDay(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		usage := upgraded(t, raw).Usage()
		check(t, usage.SetUsed(ctx, "@alice:example.org", "messages", 20000, 5))
		check(t, usage.SetUsed(ctx, "@alice:example.org", "messages", 20000, 7))
		check(t, usage.SetUsed(ctx, "@bob:example.org", "messages", 20001, 1))
		for _, test := range []struct {
			user, kind string
			day        int
			want       int64
		}{
			{"@alice:example.org", "messages", 20000, 7}, {"@alice:example.org", "messages", 20001, 0},
			{"@alice:example.org", "pings", 20000, 0}, {"@bob:example.org", "messages", 20001, 1},
		} {
			if used := must(usage.Used(ctx, test.user, test.kind, test.day)); used != test.want {
				t.Errorf("%+v: %d", test, used)
			}
		}
		check(t, usage.Forget(ctx, 20001))
		if must(usage.Used(ctx, "@alice:example.org", "messages", 20000)) != 0 || must(usage.Used(ctx, "@bob:example.org", "messages", 20001)) != 1 {
			t.Error("another day was forgotten")
		}
	})
}

func TestASuspensionIsThereOnce(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		suspensions := upgraded(t, raw).Suspensions()
		first := database.Suspension{UserID: "@alice:example.org", Reason: "spam", Actor: "@admin:example.org", At: time.Unix(1_800_000_000, 0)}
		again := database.Suspension{UserID: first.UserID, Reason: "more", At: time.Unix(1_900_000_000, 0)}
		if !must(suspensions.Add(ctx, first)) || must(suspensions.Add(ctx, again)) {
			t.Error("who is suspended was suspended again, or nobody was")
		}
		if all := must(suspensions.All(ctx)); len(all) != 1 || all[0] != first {
			t.Errorf("got %+v", all)
		}
		if !must(suspensions.Remove(ctx, first.UserID)) || must(suspensions.Remove(ctx, first.UserID)) || len(must(suspensions.All(ctx))) != 0 {
			t.Error("the suspension did not end once")
		}
	})
}

func TestAdminsFindEnlistments(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		for _, one := range []struct {
			user, gatekeeper string
			state            database.EnlistmentState
		}{
			{"@alice_a:example.org", "whatsapp", database.Enlisted}, {"@alicexa:example.org", "messenger", database.Lapsed},
			{"@bob:example.org", "whatsapp", database.Enlisting},
		} {
			row := enlistment()
			row.UserID, row.Gatekeeper, row.State, row.Login = one.user, one.gatekeeper, one.state, ""
			check(t, db.Enlistments().Create(ctx, row))
		}
		must(db.Suspensions().Add(ctx, database.Suspension{UserID: "@bob:example.org", Reason: "spam", At: time.Unix(1_800_000_000, 0)}))
		if reason, suspended, err := db.Suspensions().Reason(ctx, "@bob:example.org"); reason != "spam" || !suspended || err != nil {
			t.Errorf("got %q, %v, %v", reason, suspended, err)
		}
		if reason, suspended, err := db.Suspensions().Reason(ctx, "@alice_a:example.org"); reason != "" || suspended || err != nil {
			t.Errorf("got %q, %v, %v", reason, suspended, err)
		}
		for search, want := range map[string]string{
			"": "@alice_a @alicexa @bob", "ALICE": "@alice_a @alicexa", "alice_a": "@alice_a", "%": "", "messenger": "@alicexa",
			"lapsed": "@alicexa", "suspended": "@bob", "example.org": "@alice_a @alicexa @bob", "nobody": "",
		} {
			var names []string
			for _, found := range must(db.Enlistments().Overview(ctx, search, 0, 10)) {
				name, _, _ := strings.Cut(found.UserID, ":")
				names = append(names, name)
				if suspended := found.Reason == "spam" && found.Suspended.Equal(time.Unix(1_800_000_000, 0)); suspended != (name == "@bob") {
					t.Errorf("%s is suspended: %t", name, suspended)
				}
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("%q finds %q instead of %q", search, got, want)
			}
		}
		if found := must(db.Enlistments().Overview(ctx, "", 0, 2)); len(found) != 2 {
			t.Errorf("%d found of 2 at most", len(found))
		}
		if found := must(db.Enlistments().Overview(ctx, "", 2, 2)); len(found) != 1 || found[0].UserID != "@bob:example.org" {
			t.Errorf("after two there are %+v", found)
		}
	})
}

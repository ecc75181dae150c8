package database_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/database"
	"postern/interop"
	"postern/puppet"
)

var aliceJID = types.JID{Server: types.InteropServer, Integrator: 1, User: "10853634039893"}

func TestEnlistmentLifeCycle(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		table := upgraded(t, raw).WithClock(func() time.Time { return time.Unix(1_760_000_001, 5) }).Enlistments()
		alice := enlistment()
		check(t, table.Create(ctx, alice))
		if alice.Account == 0 || alice.State != database.Enlisting || !alice.Created.Equal(time.Unix(1_760_000_001, 5)) {
			t.Errorf("Create did not fill in %d, %q, %v", alice.Account, alice.State, alice.Created)
		}
		found, err := table.Find(ctx, "whatsapp", alice.UserID)
		check(t, err)
		checkEnlistment(t, found, alice)

		check(t, table.MarkEnlisted(ctx, alice.Account, aliceJID, "whatsapp_1"))
		alice.State, alice.JID, alice.Login = database.Enlisted, aliceJID, "whatsapp_1"
		found, err = table.ByLogin(ctx, "whatsapp_1")
		check(t, err)
		checkEnlistment(t, found, alice)

		check(t, table.MarkLeaving(ctx, alice.Account))
		alice.State = database.Leaving
		all, err := table.List(ctx)
		check(t, err)
		if len(all) != 1 {
			t.Fatalf("%d enlistments are listed", len(all))
		}
		checkEnlistment(t, all[0], alice)

		check(t, table.Delete(ctx, alice.Account))
		check(t, table.Delete(ctx, alice.Account))
		if all, err = table.List(ctx); err != nil || len(all) != 0 {
			t.Errorf("%d are left: %v", len(all), err)
		}
	})
}

// checkEnlistment compares all fields, times by instant. Keys hold a time of whole seconds.
func checkEnlistment(t *testing.T, got, want *database.Enlistment) {
	t.Helper()
	if !got.ConsentAt.Equal(want.ConsentAt) || !got.Created.Equal(want.Created) ||
		got.Keys.SignedPreKey.Created.Unix() != want.Keys.SignedPreKey.Created.Unix() {
		t.Error("times differ")
	}
	same := *got
	same.ConsentAt, same.Created, same.Keys.SignedPreKey.Created = want.ConsentAt, want.Created, want.Keys.SignedPreKey.Created
	if !reflect.DeepEqual(&same, want) {
		t.Error("the stored enlistment differs") // not printed: it holds keys
	}
}

func TestOneEnlistmentForEachUserAndGatekeeper(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		table := upgraded(t, raw).Enlistments()
		first := enlistment()
		check(t, table.Create(ctx, first))
		second := *first
		second.Keys = interop.NewKeys()
		if err := table.Create(ctx, &second); !errors.Is(err, database.ErrEnlistmentExists) {
			t.Errorf("second enlistment: got %v", err)
		}
		found, err := table.Find(ctx, first.Gatekeeper, first.UserID)
		check(t, err)
		if found.Keys.Identity != first.Keys.Identity {
			t.Error("the first enlistment's keys were replaced")
		}
		second.Gatekeeper = "messenger"
		check(t, table.Create(ctx, &second))
		if second.Account == first.Account {
			t.Error("two enlistments share an account")
		}
		check(t, table.MarkEnlisted(ctx, first.Account, aliceJID, "login"))
		if err = table.MarkEnlisted(ctx, second.Account, aliceJID, "login"); err == nil {
			t.Error("two enlistments share a login")
		}
	})
}

func TestEnlistmentsThatAreNotThere(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		table := upgraded(t, raw).Enlistments()
		_, findErr := table.Find(ctx, "whatsapp", "@nobody:example.org")
		_, loginErr := table.ByLogin(ctx, "")
		for name, err := range map[string]error{
			"Find": findErr, "ByLogin": loginErr,
			"MarkEnlisted": table.MarkEnlisted(ctx, 1, aliceJID, "login"), "MarkLeaving": table.MarkLeaving(ctx, 1),
			"MarkTold": table.MarkTold(ctx, 1), "Declare": table.Declare(ctx, 1, 1, time.Now()), "Withdraw": table.Withdraw(ctx, 1, time.Now()),
		} {
			if !errors.Is(err, database.ErrNoEnlistment) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

func TestDeleteErasesEverythingOfTheAccountAlone(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		gone, kept := enlistment(), enlistment()
		for _, one := range []*database.Enlistment{gone, kept} {
			check(t, db.Enlistments().Create(ctx, one))
			fill(t, db.AccountStore(one.Account))
			check(t, db.Unfetched(one.Account).PutUnfetched(ctx, "A", []byte("message")))
			must(db.Contacts(one.Account).SetRequest(ctx, aliceJID, puppet.NeverAsked, puppet.Asks))
			check(t, db.Kept(one.Account).Put(ctx, aliceJID, "A", []byte("message"), true))
		}
		for table := range accountTables(t, raw) {
			if rows := countRows(t, raw, table); rows != 2 {
				t.Errorf("%s has %d rows before, want one for each account", table, rows)
			}
		}
		check(t, db.Enlistments().Delete(ctx, gone.Account))
		for table := range accountTables(t, raw) {
			if rows := countRows(t, raw, table); rows != 1 {
				t.Errorf("%s has %d rows after", table, rows)
			}
		}
		session, err := db.AccountStore(kept.Account).LoadSession(ctx, bob)
		if err != nil || session == nil {
			t.Errorf("the other account lost its session: %v", err)
		}
	})
}

var bob = interop.Address{Server: types.DefaultUserServer, User: "4915112345678"}

// fill puts one row into every table of the account.
func fill(t testing.TB, store *database.AccountStore) {
	t.Helper()
	ctx := context.Background()
	check(t, store.SaveSession(ctx, bob, []byte("session")))
	check(t, store.SaveIdentity(ctx, bob, [32]byte{1}))
	check(t, store.AddPreKeys(ctx, []interop.PreKey{{ID: 1, KeyPair: interop.KeyPair{Priv: [32]byte{1}}}}, false))
	check(t, store.AddSignedPreKey(ctx, interop.SignedPreKey{PreKey: interop.PreKey{ID: 1}}))
	check(t, store.PutReceived(ctx, [32]byte{1}, []byte("text")))
	_, err := store.Enqueue(ctx, interop.Outgoing{ID: "A", Chat: aliceJID, Plaintext: []byte("text")})
	check(t, err)
}

// accountTables finds the tables with a column "account" in the schema itself, so that no later table is forgotten.
func accountTables(t testing.TB, raw *dbutil.Database) map[string]bool {
	t.Helper()
	query := `SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'account'`
	if raw.Dialect == dbutil.Postgres {
		query = "SELECT table_name FROM information_schema.columns WHERE column_name = 'account' AND table_schema = 'public'"
	}
	rows, err := raw.Query(context.Background(), query)
	check(t, err)
	defer rows.Close()
	tables := map[string]bool{}
	for rows.Next() {
		var name string
		check(t, rows.Scan(&name))
		tables[name] = true
	}
	check(t, rows.Err())
	if len(tables) < 7 {
		t.Fatalf("found the tables %v only", tables)
	}
	return tables
}

func countRows(t testing.TB, raw *dbutil.Database, table string) (rows int) {
	t.Helper()
	check(t, raw.QueryRow(context.Background(), "SELECT count(*) FROM "+table).Scan(&rows))
	return rows
}

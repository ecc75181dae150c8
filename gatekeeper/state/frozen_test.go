package state_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.mau.fi/util/dbutil"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// newest is the newest version of the schema. For the next, freeze what `sqlite3 gatekeeper.db .dump` prints of this one.
const newest = 3

// frozen makes the database that a version of the schema left behind, which testdata/vN.sql holds. It never changes.
func frozen(t *testing.T, version int) (path string) {
	t.Helper()
	script, err := os.ReadFile(fmt.Sprintf("testdata/v%d.sql", version))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "gatekeeper.db")
	raw := rawDatabase(t, path)
	if _, err = raw.Exec(context.Background(), string(script)); err != nil {
		t.Fatal(err)
	}
	if err = raw.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func rawDatabase(t *testing.T, path string) *dbutil.Database {
	t.Helper()
	raw, err := dbutil.NewWithDialect("file:"+path, "sqlite3-fk-wal")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEveryFrozenVersionIsUpgradedAndRead(t *testing.T) {
	latest := filepath.Join(t.TempDir(), "latest.db")
	if err := open(t, latest).Close(); err != nil {
		t.Fatal(err)
	}
	want := schemaOf(t, latest)
	for version := 1; version <= newest; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			path := frozen(t, version)
			s := open(t, path)
			checkFrozen(t, s, version)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if got := schemaOf(t, path); !maps.Equal(got, want) {
				t.Errorf("the upgraded schema is not the latest:\n%v\n%v", got, want)
			}
		})
	}
}

// checkFrozen looks for all that the frozen databases hold since a version.
func checkFrozen(t *testing.T, s *state.State, version int) {
	t.Helper()
	ctx := context.Background()
	account, err := s.AccountByUserVisibleID(ctx, 1, "@alice:example.org")
	if err != nil || account.JID != alice || account.LastLogin != 1_760_000_001 {
		t.Errorf("the account came back as %+v, %v", account, err)
	}
	device, err := s.Device(ctx, bob2)
	if err != nil || device.RegistrationID != 4711 || len(device.Identity) != 32 {
		t.Errorf("the device came back as %+v, %v", device, err)
	}
	if keys, err := s.PreKeys(ctx, bob2); err != nil || len(keys) != 1 || keys[0].ID != 7 {
		t.Errorf("prekeys came back as %+v, %v", keys, err)
	}
	mail, err := s.Mail(ctx, bob2, 0, 9)
	if err != nil || len(mail) != 1 || mail[0].ID != "A" || !slices.Equal(mail[0].Stanza, []byte{0, 255}) {
		t.Errorf("the mailbox came back as %+v, %v", mail, err)
	}
	if blocked, err := s.IsBlocked(ctx, bob, alice); err != nil || !blocked {
		t.Errorf("the block is gone: %v", err)
	}
	if settings, err := s.Privacy(ctx, bob); err != nil || settings["readreceipts"] != "none" {
		t.Errorf("privacy came back as %v, %v", settings, err)
	}
	if pings, err := s.Pings(ctx, bob); err != nil || (len(pings) == 1) != (version >= 2) {
		t.Errorf("pings came back as %+v, %v", pings, err)
	}
	choices, err := s.Choices(ctx, bob)
	if err != nil || choices.OneInbox != (version >= 3) || slices.Contains(choices.Refused, 9) != (version >= 3) {
		t.Errorf("choices came back as %+v, %v", choices, err)
	}
	if wire.FormatJID(alice) != "1-10853634039893@interop" {
		t.Error("accounts are stored under other names than when they were frozen")
	}
}

// schemaOf describes every column and index.
func schemaOf(t *testing.T, path string) map[string]string {
	t.Helper()
	raw := rawDatabase(t, path)
	defer raw.Close()
	rows, err := raw.Query(context.Background(), `
		SELECT tables.name || '.' || columns.name, columns.type || columns."notnull" || coalesce(columns.dflt_value, '') || columns.pk
		FROM sqlite_master tables, pragma_table_info(tables.name) columns WHERE tables.type = 'table'
		UNION ALL SELECT name, coalesce(sql, '') FROM sqlite_master WHERE type = 'index'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string]string)
	for rows.Next() {
		var name, definition string
		if err = rows.Scan(&name, &definition); err != nil {
			t.Fatal(err)
		}
		all[name] = definition
	}
	if len(all) < 30 {
		t.Fatalf("only %d columns and indexes", len(all))
	}
	return all
}

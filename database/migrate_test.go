package database_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/sqlstatestore"

	"postern/database"
	"postern/database/pgtest"
	"postern/interop"
)

// filled makes an SQLite database as a daemon leaves it, with rows in every table that can have them.
func filled(t *testing.T) (*database.Database, *dbutil.Database) {
	t.Helper()
	ctx := context.Background()
	raw := openSQLite(t, "")
	db := upgraded(t, raw)
	quiet := dbutil.ZeroLogger(zerolog.Nop())
	check(t, mxdatabase.New("", mxdatabase.MetaTypes{}, raw).Upgrade(ctx))
	check(t, sqlstatestore.NewSQLStateStore(raw, quiet, false).Upgrade(ctx))
	check(t, crypto.NewSQLCryptoStore(raw, quiet, "", "", nil).DB.Upgrade(ctx))

	user := enlistment()
	check(t, db.Enlistments().Create(ctx, user))
	check(t, db.Enlistments().MarkEnlisted(ctx, user.Account, aliceJID, "wa-1"))
	store := db.AccountStore(user.Account)
	check(t, store.SaveSession(ctx, interop.AddressOf(aliceJID), []byte("session")))
	check(t, store.SaveIdentity(ctx, interop.AddressOf(aliceJID), [32]byte{1}))
	check(t, store.AddPreKeys(ctx, []interop.PreKey{{ID: 7, KeyPair: interop.NewKeyPair()}}, true))
	check(t, store.AddSignedPreKey(ctx, user.Keys.SignedPreKey))
	must(store.Enqueue(ctx, interop.Outgoing{ID: "A", Chat: aliceJID, Plaintext: []byte("text"), Ref: "$event", Created: frozenTime}))
	check(t, store.PutReceived(ctx, [32]byte{1, 0, 255}, []byte("text")))
	check(t, db.KV().Set(ctx, "name", []byte("value")))

	for _, statement := range []string{
		`INSERT INTO "user" (bridge_id, mxid, management_room) VALUES ('', '@alice:example.org', '!room:example.org')`,
		`INSERT INTO user_login (bridge_id, user_mxid, id, remote_name, remote_profile, metadata) VALUES ('', '@alice:example.org', 'wa-1', 'Ünïcode 🔁 ''quoted'' \back	tab', '{"name": "a\nb"}', 'null')`,
		`INSERT INTO ghost (bridge_id, id, name, avatar_id, avatar_hash, avatar_mxc, name_set, avatar_set, contact_info_set, is_bot, identifiers, metadata)
			VALUES ('', 'bob', 'Bob', '', '', '', true, false, true, 0, '["tel:+49151"]', '{}')`,
		// The child comes before its parent, as rows may.
		`INSERT INTO portal (rowid, bridge_id, id, receiver, mxid, parent_id, parent_receiver, name, topic, avatar_id, avatar_hash, avatar_mxc,
			name_set, avatar_set, topic_set, in_space, room_type, metadata)
			VALUES (2, '', 'parent', 'wa-1', '!parent:x', NULL, '', '', '', '', '', '', 1, 1, 1, 1, '', '{}'),
				(1, '', 'chat', 'wa-1', '!chat:x', 'parent', 'wa-1', '', '', '', '', '', 1, 1, 1, 1, 'dm', '{"complete": true}')`,
		`INSERT INTO message (rowid, bridge_id, id, part_id, mxid, room_id, room_receiver, sender_id, sender_mxid, timestamp, edit_count, metadata)
			VALUES (41, '', 'wa:1', '', '$one', 'chat', 'wa-1', 'bob', '@bob:x', 1764100000000000000, 0, '{}')`,
		`INSERT INTO reaction (bridge_id, message_id, message_part_id, sender_id, emoji_id, room_id, room_receiver, mxid, timestamp, emoji, metadata)
			VALUES ('', 'wa:1', '', 'bob', '👍', 'chat', 'wa-1', '$two', 1764100000000000001, '👍', '{}')`,
		`INSERT INTO user_portal (bridge_id, user_mxid, login_id, portal_id, portal_receiver, in_space, preferred) VALUES ('', '@alice:example.org', 'wa-1', 'chat', 'wa-1', true, false)`,
		`INSERT INTO disappearing_message (bridge_id, mx_room, mxid, timestamp, type, timer) VALUES ('', '!chat:x', '$one', 5, 'after_send', 3600)`,
		`INSERT INTO kv_store (bridge_id, key, value) VALUES ('', 'a', 'b')`,
		`INSERT INTO mx_user_profile (room_id, user_id, membership, displayname) VALUES ('!chat:x', '@alice:example.org', 'join', 'Alice')`,
		`INSERT INTO mx_room_state (room_id, power_levels, encryption, members_fetched) VALUES ('!chat:x', '{"users": {"@a:x": 100}}', NULL, true)`,
		`INSERT INTO crypto_account (account_id, device_id, shared, sync_token, account) VALUES ('', 'DEVICE', true, '', x'00ff10')`,
		`INSERT INTO crypto_message_index (session_id, "index", event_id, timestamp) VALUES ('` + strings.Repeat("s", 43) + `', 3, '$one', 9)`,
	} {
		_, err := raw.Exec(ctx, statement)
		check(t, err)
	}
	for _, table := range []struct{ name, values string }{
		{"postern_usage (user_id, kind, day, used)", "'@alice:x', 'messages', 20000, 3"},
		{"postern_suspension (user_id, reason, actor, at)", "'@alice:x', 'because', '@admin:x', 5"},
		{"postern_audit (seq, at, kind, actor, user_id, gatekeeper, subject, hash)", "1, 5, 'a', 'b', 'c', 'd', 'e', randomblob(32)"},
		{"postern_audit_ends (id, first_seq, first_hash, last_seq, last_hash)", "1, 1, x'00', 1, x'01'"},
		{"postern_room_key (user_id, device, session, owner, room, room_key, created)", "'a', 'b', 'c', 'd', 'e', x'ff', 7"},
		{"mx_registrations (user_id)", "'@bob:x'"},
		{"crypto_tracked_user (user_id, devices_outdated)", "'@alice:x', 1"},
		{"crypto_device (user_id, device_id, identity_key, signing_key, trust, deleted, name)", "'@alice:x', 'D', 'k', 'k', 200, false, 'phone'"},
		{"crypto_megolm_outbound_session_shared (user_id, identity_key, session_id)", "'@alice:x', 'k', 's'"},
		{"crypto_cross_signing_keys (user_id, usage, key, first_seen_key)", "'@alice:x', 'master', 'k', 'k'"},
		{"crypto_cross_signing_signatures (signed_user_id, signed_key, signer_user_id, signer_key, signature)", "'a', 'b', 'c', 'd', 'e'"},
		{"crypto_secrets (account_id, name, secret)", "'', 'name', x'01'"},
		{"crypto_olm_message_hash (account_id, received_at, message_hash)", "'', 5, x'ab'"},
		{"crypto_megolm_inbound_session (account_id, session_id, sender_key, room_id, session, ratchet_safety, received_at, max_age)",
			"'', 's', 'k', '!chat:x', x'ff', '{\"next_index\": 3}', '2026-11-25 12:00:00+01:00', 604800000"},
	} {
		check(t, execute(raw, "INSERT INTO "+table.name+" VALUES ("+table.values+")"))
	}
	_, err := raw.Exec(ctx, `INSERT INTO crypto_olm_session (account_id, session_id, sender_key, session, created_at, last_decrypted, last_encrypted)
		VALUES ('', $1, $1, $2, $3, $3, $3)`, strings.Repeat("o", 43), []byte{1, 0, 2}, frozenTime)
	check(t, err)
	return db, raw
}

// content returns all rows of a table in a form that is the same for both kinds of database.
func content(t *testing.T, db *dbutil.Database, table string) []string {
	t.Helper()
	rows, err := db.Query(context.Background(), `SELECT * FROM "`+table+`"`)
	check(t, err)
	defer rows.Close()
	columns := must(rows.Columns())
	var all []string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		check(t, rows.Scan(into...))
		fields := make([]string, len(columns))
		for i, value := range values {
			switch value := value.(type) {
			case []byte:
				fields[i] = string(value)
			case time.Time:
				fields[i] = value.UTC().Truncate(time.Microsecond).String()
			case int64:
				fields[i] = fmt.Sprint(value)
			case bool:
				fields[i] = map[bool]string{true: "1", false: "0"}[value]
			default:
				fields[i] = fmt.Sprint(value)
			}
			// PostgreSQL writes JSON its own way, and fills CHAR columns with spaces.
			fields[i] = columns[i] + "=" + strings.TrimRight(strings.ReplaceAll(fields[i], `": `, `":`), " ")
		}
		slices.Sort(fields)
		all = append(all, strings.Join(fields, "|"))
	}
	check(t, rows.Err())
	slices.Sort(all)
	return all
}

func TestDatabaseIsMovedWithAllThatIsInIt(t *testing.T) {
	ctx := context.Background()
	to := pgtest.Open(t)
	if to == nil {
		return
	}
	db, from := filled(t)
	before := make(map[string][]string)
	for _, table := range []string{"postern_kv", "version", "message"} {
		before[table] = content(t, from, table)
	}
	counts, err := db.Migrate(ctx, to)
	check(t, err)
	if len(counts) < 30 {
		t.Errorf("only %d tables were copied", len(counts))
	}
	empty := 0
	for _, count := range counts {
		there, here := content(t, from, count.Table), content(t, to, count.Table)
		if before[count.Table] != nil {
			there = before[count.Table] // the mark came later
		}
		if !slices.Equal(there, here) || int64(len(here)) != count.Rows {
			t.Errorf("%s has %d rows:\n%q\nand\n%q", count.Table, count.Rows, there, here)
		}
		if count.Rows == 0 {
			empty++
		}
	}
	if empty > 7 {
		t.Errorf("%d tables of %d are empty, so nothing is shown about them", empty, len(counts))
	}

	// What is sealed can be opened, and numbers go on.
	moved := upgraded(t, to)
	if value := must(moved.KV().Get(ctx, "name")); string(value) != "value" {
		t.Errorf("got %q", value)
	}
	_, err = to.Exec(ctx, `INSERT INTO message (bridge_id, id, part_id, mxid, room_id, room_receiver, sender_id, sender_mxid, timestamp, edit_count, metadata)
		VALUES ('', 'wa:2', '', '$three', 'chat', 'wa-1', 'bob', '@bob:x', 1, 0, '{}')`)
	check(t, err)
	var number int64
	check(t, to.QueryRow(ctx, "SELECT rowid FROM message WHERE id = 'wa:2'").Scan(&number))
	if number != 42 {
		t.Errorf("the next message has the number %d", number)
	}
	// The foreign keys are there again.
	_, err = to.Exec(ctx, "DELETE FROM portal WHERE id = 'chat'")
	check(t, err)
	if left := content(t, to, "message"); len(left) > 0 {
		t.Errorf("messages of no chat are left: %q", left)
	}
	if !must(db.Moved(ctx)) {
		t.Error("the old database may be used on")
	}
	if must(moved.Moved(ctx)) {
		t.Error("the new database may not be used")
	}
}

func TestNothingIsMovedAfterAnError(t *testing.T) {
	ctx := context.Background()
	if pgtest.Open(t) == nil {
		return
	}
	tables := func(to *dbutil.Database) (count int) {
		check(t, to.QueryRow(ctx, "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()").Scan(&count))
		return count
	}
	for name, test := range map[string]struct {
		prepare func(from, to *dbutil.Database) error
		want    error
		left    int
	}{
		"target in use": {func(_, to *dbutil.Database) error { return execute(to, "CREATE TABLE other (id INTEGER)") }, database.ErrNotEmpty, 1},
		"older schema":  {func(from, _ *dbutil.Database) error { return execute(from, "UPDATE crypto_version SET version = 20") }, database.ErrOtherSchema, 0},
		"missing table": {func(from, _ *dbutil.Database) error { return execute(from, "DROP TABLE crypto_secrets") }, database.ErrOtherSchema, 0},
		"other column":  {func(from, _ *dbutil.Database) error { return execute(from, "ALTER TABLE ghost ADD COLUMN x TEXT") }, database.ErrOtherSchema, 0},
		"zero byte":     {func(from, _ *dbutil.Database) error { return execute(from, "UPDATE ghost SET name = 'a' || char(0)") }, nil, 0},
		"broken reference": {func(from, _ *dbutil.Database) error {
			return errors.Join(execute(from, "PRAGMA foreign_keys = OFF"), execute(from, "DELETE FROM ghost"))
		}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			to := pgtest.Open(t)
			db, from := filled(t)
			check(t, test.prepare(from, to))
			_, err := db.Migrate(ctx, to)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if left := tables(to); left != test.left {
				t.Errorf("%d tables are left", left)
			}
			if must(db.Moved(ctx)) {
				t.Error("the old database counts as moved")
			}
		})
	}
	db, _ := filled(t)
	if _, err := db.Migrate(ctx, openSQLite(t, "")); !errors.Is(err, database.ErrWrongWay) {
		t.Errorf("to SQLite: %v", err)
	}
}

func TestAMoveThatWasInterruptedIsRepeated(t *testing.T) {
	ctx := context.Background()
	to := pgtest.Open(t)
	if to == nil {
		return
	}
	db, _ := filled(t)
	check(t, db.KV().Set(ctx, "database.moved", []byte("postgres"))) // killed before the commit
	_, err := db.Migrate(ctx, to)
	check(t, err)
	var marks int
	check(t, to.QueryRow(ctx, "SELECT count(*) FROM postern_kv WHERE name = 'database.moved'").Scan(&marks))
	if marks > 0 {
		t.Error("the new database counts as moved")
	}
}

func execute(db *dbutil.Database, statement string) error {
	_, err := db.Exec(context.Background(), statement)
	return err
}

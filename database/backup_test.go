package database_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/interop"
)

func TestBackupIsWholeWhileOthersWrite(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "postern.db")
	db := upgraded(t, openSQLite(t, path))
	user := enlistment()
	check(t, db.Enlistments().Create(ctx, user))
	store := db.AccountStore(user.Account)

	// Each message is written twice in one transaction: a copy has both or none.
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			id := string(rune('a'+n%26)) + time.Duration(n).String()
			err := store.Atomically(ctx, func(ctx context.Context) error {
				for _, twin := range []string{"1", "2"} {
					if _, err := store.Enqueue(ctx, interop.Outgoing{ID: id + twin, Chat: aliceJID, Plaintext: []byte("text"), Created: frozenTime}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("a writer was disturbed: %v", err)
				return
			}
		}
	})
	copied := filepath.Join(t.TempDir(), "copy")
	beside := upgraded(t, openSQLite(t, path)) // as the command does, with a connection of its own
	err := beside.WithClock(func() time.Time { return frozenTime }).Backup(ctx, copied)
	close(stop)
	writer.Wait()
	check(t, err)
	info, err := os.Stat(copied)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(copied), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	content, err := os.ReadFile(copied)
	check(t, err)
	raw := openSQLite(t, copied)
	again := upgraded(t, raw)
	if made := must(again.CopyMade(ctx)); !made.Equal(frozenTime.Truncate(time.Second)) {
		t.Errorf("made %s", made)
	}
	if !must(db.CopyMade(ctx)).IsZero() {
		t.Error("the original takes itself for a copy")
	}
	var messages int
	check(t, raw.QueryRow(ctx, "SELECT count(*) FROM postern_outgoing").Scan(&messages))
	if messages%2 != 0 {
		t.Errorf("%d messages: half of a transaction was copied", messages)
	}
	if err = beside.Backup(ctx, copied); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a backup was written over: %v", err)
	}
	if after, err := os.ReadFile(copied); err != nil || len(after) < len(content) {
		t.Errorf("the backup was changed: %v", err)
	}
}

func TestRestoreMakesNothingOfWhatIsNoBackup(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	target := filepath.Join(dir, "postern.db")
	whole := filepath.Join(dir, "whole")
	check(t, upgraded(t, openSQLite(t, "")).Backup(ctx, whole))
	content, err := os.ReadFile(whole)
	check(t, err)
	damaged := filepath.Join(dir, "damaged")
	// Pages in the middle are overwritten.
	check(t, os.WriteFile(damaged, append(append(bytes.Clone(content[:4096]), bytes.Repeat([]byte{7}, len(content)-8192)...), content[len(content)-4096:]...), 0o600))
	other := filepath.Join(dir, "text")
	check(t, os.WriteFile(other, bytes.Repeat([]byte("no database "), 1000), 0o600))
	refusal := errors.New("not wanted")
	for name, test := range map[string]struct {
		from   string
		change error
		want   error
	}{
		"damaged": {damaged, nil, database.ErrDamaged},
		"text":    {other, nil, database.ErrDamaged},
		"missing": {filepath.Join(dir, "nothing"), nil, fs.ErrNotExist},
		"refused": {whole, refusal, refusal},
	} {
		t.Run(name, func(t *testing.T) {
			err := database.Restore(ctx, test.from, target, func(*dbutil.Database) error { return test.change })
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if files := must(filepath.Glob(target + "*")); len(files) > 0 {
				t.Errorf("made %q", files)
			}
			if files := must(filepath.Glob(filepath.Join(dir, ".*"))); len(files) > 0 {
				t.Errorf("left %q", files)
			}
		})
	}
	check(t, database.Restore(ctx, whole, target, func(*dbutil.Database) error { return nil }))
	if err = database.Restore(ctx, whole, target, func(*dbutil.Database) error { return nil }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a database was written over: %v", err)
	}
}

func TestForgottenSessionsCannotBeUsedAgain(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		table := db.Enlistments()
		enlisted, begun, leaving := enlistment(), enlistment(), enlistment()
		for login, user := range map[string]*database.Enlistment{"": begun, "wa-1": enlisted, "wa-2": leaving} {
			check(t, table.Create(ctx, user))
			if login != "" {
				check(t, table.MarkEnlisted(ctx, user.Account, aliceJID, login))
			}
		}
		must(table.MarkAllLeaving(ctx, leaving.UserID))
		store := db.AccountStore(enlisted.Account)
		check(t, store.SaveSession(ctx, interop.Address{Server: "s", User: "1"}, []byte("session")))
		check(t, store.AddPreKeys(ctx, []interop.PreKey{{ID: 1, KeyPair: interop.NewKeyPair()}}, true))
		must(store.Enqueue(ctx, interop.Outgoing{ID: "A", Chat: aliceJID, Plaintext: []byte("text"), Created: frozenTime}))
		check(t, store.PutReceived(ctx, [32]byte{1}, []byte("text")))

		_, err := raw.Exec(ctx, "INSERT INTO postern_room_key (user_id, device, session, owner, room, room_key, created) VALUES ('a', 'b', 'c', 'd', 'e', $1, 1)", []byte{1})
		check(t, err)

		made := frozenTime.Truncate(time.Second)
		lapsed, err := db.ForgetSessions(ctx, made)
		check(t, err)
		if lapsed != 1 {
			t.Errorf("%d have to enlist again", lapsed)
		}
		for _, name := range []string{"session", "identity", "prekey", "signed_prekey", "outgoing", "received", "room_key"} {
			var rows int
			check(t, raw.QueryRow(ctx, "SELECT count(*) FROM postern_"+name).Scan(&rows))
			if rows > 0 {
				t.Errorf("%d rows of %s are left", rows, name)
			}
		}
		for user, want := range map[*database.Enlistment]database.EnlistmentState{enlisted: database.Lapsed, leaving: database.Leaving} {
			if got := must(table.Find(ctx, user.Gatekeeper, user.UserID)); got.State != want || got.ConsentVersion != user.ConsentVersion {
				t.Errorf("is %s, want %s", got.State, want)
			}
		}
		if _, err = table.Find(ctx, begun.Gatekeeper, begun.UserID); !errors.Is(err, database.ErrNoEnlistment) {
			t.Errorf("of one who began: %v", err)
		}
		if first, second, err := db.Restored(ctx); err != nil || !first.Equal(made) || second.IsZero() {
			t.Errorf("restored %s of %s, %v", second, first, err)
		}
	})
}

func TestOfACopyNothingIsLeftAfterItIsRestored(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	copied, target := filepath.Join(dir, "copy"), filepath.Join(dir, "postern.db")
	check(t, upgraded(t, openSQLite(t, "")).Backup(ctx, copied))
	check(t, database.Restore(ctx, copied, target, func(raw *dbutil.Database) error {
		_, err := database.New(raw, testKey, zerolog.Nop()).ForgetSessions(ctx, frozenTime)
		return err
	}))
	if !must(upgraded(t, openSQLite(t, target)).CopyMade(ctx)).IsZero() {
		t.Error("it still takes itself for a copy")
	}
}

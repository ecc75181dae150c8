package database_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/database"
	"postern/interop"
)

const (
	killRounds = 6
	// killUser is whose account the child writes to.
	killUser = "@killed:example.org"
)

// progress is how far the child got: the number of the last message that went through each step.
type progress struct{ queued, received, delivered, sent uint64 }

// TestKilledProcessLosesNothingItReported kills a process with SIGKILL in the middle of its writes, over and over, and
// looks after each time whether the store holds all that was reported, and of every transaction all or nothing.
func TestKilledProcessLosesNothingItReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	var reported progress
	for round := range killRounds {
		writer := startChild(t, childWriter, path)
		for range 40*round + 7 { // dies at another step each time
			reported.note(t, writer.line(t))
		}
		check(t, writer.process.Process.Kill())
		for writer.stdout.Scan() { // what it said before it died counts
			reported.note(t, writer.stdout.Text())
		}
		_ = writer.process.Wait() // killed
		checkAfterKill(t, path, reported)
	}
}

func (p *progress) note(t *testing.T, line string) {
	t.Helper()
	step, number, _ := strings.Cut(line, " ")
	n, err := strconv.ParseUint(number, 10, 64)
	check(t, err)
	last := map[string]*uint64{
		"queued": &p.queued, "received": &p.received, "delivered": &p.delivered, "sent": &p.sent,
	}[step]
	if last == nil {
		t.Fatalf("the child said %q", line)
	}
	*last = n
}

func checkAfterKill(t *testing.T, path string, reported progress) {
	t.Helper()
	ctx := context.Background()
	raw, err := database.Open(context.Background(), "sqlite", path, zerolog.Nop())
	check(t, err)
	defer raw.Close()
	var integrity string
	check(t, raw.QueryRow(ctx, "PRAGMA integrity_check").Scan(&integrity))
	if integrity != "ok" {
		t.Fatalf("integrity check: %s", integrity)
	}
	stored, err := readProgress(ctx, upgraded(t, raw))
	check(t, err)
	for name, step := range map[string]struct{ stored, reported uint64 }{
		"queued": {stored.queued, reported.queued}, "received": {stored.received, reported.received},
		"delivered": {stored.delivered, reported.delivered}, "sent": {stored.sent, reported.sent},
	} {
		if step.stored != step.reported && step.stored != step.reported+1 { // one may be done and not yet reported
			t.Errorf("%s: %d stored, %d reported", name, step.stored, step.reported)
		}
	}
	t.Logf("killed at %+v, found %+v", reported, stored)
}

// readProgress finds out from the store alone how far the writer got, and fails where the halves of a transaction differ.
func readProgress(ctx context.Context, db *database.Database) (progress, error) {
	var p progress
	enlisted, err := db.Enlistments().Find(ctx, "whatsapp", killUser)
	if err != nil {
		return p, err
	}
	store := db.AccountStore(enlisted.Account)
	session, err := store.LoadSession(ctx, bob)
	if err != nil {
		return p, err
	}
	if session != nil {
		p.received = binary.BigEndian.Uint64(session)
	}
	for n := uint64(1); ; n++ { // the inbox must end where the ratchet does
		plaintext, ok, err := store.FindReceived(ctx, messageHash(n))
		if err != nil {
			return p, err
		} else if ok != (n <= p.received) {
			return p, fmt.Errorf("the session stands at %d, but for message %d the inbox says %t", p.received, n, ok)
		} else if !ok {
			break
		} else if plaintext == nil {
			p.delivered = n
		} else if string(plaintext) != messageText(n) {
			return p, fmt.Errorf("received message %d holds %q", n, plaintext)
		}
	}
	for n := uint64(1); ; n++ {
		message, err := store.FindOutgoing(ctx, messageID(n))
		if err != nil {
			return p, err
		} else if message == nil {
			break
		} else if string(message.Plaintext) != messageText(n) || message.Seq != int64(n) {
			return p, fmt.Errorf("outgoing message %d is at %d and holds %q", n, message.Seq, message.Plaintext)
		}
		p.queued = n
		if message.State == interop.OutgoingSent {
			p.sent = n
		}
	}
	return p, nil
}

// runWriter is the child: it goes on where the one before was killed, until it is killed.
func runWriter(path string, say func(string)) error {
	ctx := context.Background()
	raw, err := database.Open(context.Background(), "sqlite", path, zerolog.Nop())
	if err != nil {
		return err
	}
	db := database.New(raw, testKey, zerolog.Nop())
	if err = db.Upgrade(ctx); err != nil {
		return err
	}
	enlisted := &database.Enlistment{Gatekeeper: "whatsapp", UserID: killUser, Keys: interop.NewKeys()}
	if existing, err := db.Enlistments().Find(ctx, "whatsapp", killUser); err == nil {
		enlisted = existing
	} else if err = db.Enlistments().Create(ctx, enlisted); err != nil {
		return err
	}
	done, err := readProgress(ctx, db)
	if err != nil {
		return err
	}
	store := db.AccountStore(enlisted.Account)
	for n := min(done.queued, done.received, done.delivered, done.sent) + 1; ; n++ {
		for _, step := range []struct {
			name string
			done uint64
			run  func() error
		}{
			{"queued", done.queued, func() error { return enqueue(ctx, store, n) }},
			{"received", done.received, func() error { return receive(ctx, store, n) }},
			{"delivered", done.delivered, func() error { return store.MarkDelivered(ctx, messageHash(n)) }},
			{"sent", done.sent, func() error { return store.SetOutgoingSent(ctx, messageID(n), nil) }},
		} {
			if step.done >= n {
				continue
			}
			if err = step.run(); err != nil {
				return fmt.Errorf("%s %d: %w", step.name, n, err)
			}
			say(fmt.Sprintf("%s %d", step.name, n))
		}
	}
}

func enqueue(ctx context.Context, store *database.AccountStore, n uint64) error {
	_, err := store.Enqueue(ctx, interop.Outgoing{
		ID: messageID(n), Chat: aliceJID, Plaintext: []byte(messageText(n)), Created: time.Unix(1_760_000_000, 0),
	})
	return err
}

func receive(ctx context.Context, store *database.AccountStore, n uint64) error {
	return store.Atomically(ctx, func(ctx context.Context) error {
		if err := store.SaveSession(ctx, bob, binary.BigEndian.AppendUint64(nil, n)); err != nil {
			return err
		}
		return store.PutReceived(ctx, messageHash(n), []byte(messageText(n)))
	})
}

func messageID(n uint64) string         { return fmt.Sprintf("M%d", n) }
func messageText(n uint64) string       { return fmt.Sprintf("text of message %d", n) }
func messageHash(n uint64) (h [32]byte) { binary.BigEndian.PutUint64(h[:], n); return h }

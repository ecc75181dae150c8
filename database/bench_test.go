package database_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/database/pgtest"
	"postern/interop"
)

// The benchmarks run on SQLite in every combination of where the file is and how it is synced, and on PostgreSQL.
// POSTERN_BENCH_DIR names a directory on the disk to be measured; the default is the one for temporary files.

const (
	benchDirVariable = "POSTERN_BENCH_DIR"
	ramDisk          = "/dev/shm" // of every Linux
	// benchSession is a usual size of a Signal session, in bytes, and benchText that of a message.
	benchSession = 1024
	benchText    = 200
)

func onEachDisk(b *testing.B, run func(b *testing.B, raw *dbutil.Database)) {
	for _, place := range []struct{ name, dir string }{{"ram", ramDisk}, {"disk", os.Getenv(benchDirVariable)}} {
		for _, sync := range []struct{ name, driver string }{{"full", "sqlite3-fk-wal-fullsync"}, {"normal", "sqlite3-fk-wal"}} {
			for _, conns := range []int{1, 4} {
				b.Run(fmt.Sprintf("sqlite/%s/sync=%s/conns=%d", place.name, sync.name, conns), func(b *testing.B) {
					run(b, openBench(b, place.dir, sync.driver, conns))
				})
			}
		}
	}
	b.Run("postgres/nosync", func(b *testing.B) {
		if raw := pgtest.Open(b); raw != nil {
			run(b, raw)
		}
	})
}

func openBench(b *testing.B, dir, driver string, conns int) *dbutil.Database {
	dir, err := os.MkdirTemp(dir, "postern-bench-")
	check(b, err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	uri, err := database.SQLiteURI(filepath.Join(dir, "postern.db"))
	check(b, err)
	raw, err := dbutil.NewFromConfig("", dbutil.Config{PoolConfig: dbutil.PoolConfig{
		Type: driver, URI: uri, MaxOpenConns: conns, MaxIdleConns: conns,
	}}, dbutil.ZeroLogger(zerolog.Nop()))
	check(b, err)
	b.Cleanup(func() { _ = raw.Close() })
	check(b, raw.RawDB.Ping())
	return raw
}

// BenchmarkMessageIn is all that one received message costs: look up, ratchet and inbox, delivered.
func BenchmarkMessageIn(b *testing.B) {
	onEachDisk(b, func(b *testing.B, raw *dbutil.Database) {
		store := newAccount(b, upgraded(b, raw))
		b.ReportAllocs()
		for n := uint64(1); b.Loop(); n++ {
			check(b, messageIn(store, n))
		}
	})
}

// BenchmarkMessageOut is all that one sent message costs: outbox, ratchet, acknowledged.
func BenchmarkMessageOut(b *testing.B) {
	onEachDisk(b, func(b *testing.B, raw *dbutil.Database) {
		store := newAccount(b, upgraded(b, raw))
		b.ReportAllocs()
		for n := uint64(1); b.Loop(); n++ {
			check(b, messageOut(store, n))
		}
	})
}

// BenchmarkEightAccounts receives and sends on eight accounts at once, one operation being one message.
func BenchmarkEightAccounts(b *testing.B) {
	onEachDisk(b, func(b *testing.B, raw *dbutil.Database) {
		db := upgraded(b, raw)
		stores := make([]*database.AccountStore, 8)
		for i := range stores {
			stores[i] = newAccount(b, db)
		}
		done := make(chan error, len(stores))
		for i, store := range stores {
			go func() {
				for n := range uint64(b.N/len(stores) + 1) {
					var err error
					if i%2 == 0 {
						err = messageIn(store, n)
					} else {
						err = messageOut(store, n)
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range stores {
			check(b, <-done)
		}
	})
}

func messageIn(store *database.AccountStore, n uint64) error {
	ctx, hash := context.Background(), messageHash(n)
	rand.Read(hash[8:]) // as scattered as real hashes
	binary.LittleEndian.PutUint64(hash[:], n*0x9e3779b97f4a7c15)
	if _, _, err := store.FindReceived(ctx, hash); err != nil {
		return err
	}
	err := store.Atomically(ctx, func(ctx context.Context) error {
		if err := store.SaveSession(ctx, bob, make([]byte, benchSession)); err != nil {
			return err
		}
		return store.PutReceived(ctx, hash, make([]byte, benchText))
	})
	if err != nil {
		return err
	}
	return store.MarkDelivered(ctx, hash)
}

func messageOut(store *database.AccountStore, n uint64) error {
	ctx := context.Background()
	_, err := store.Enqueue(ctx, interop.Outgoing{
		ID: messageID(n), Chat: aliceJID, Plaintext: make([]byte, benchText), Ref: "$event", Created: time.Unix(1_760_000_000, 0),
	})
	if err != nil {
		return err
	}
	if err = store.SaveSession(ctx, bob, make([]byte, benchSession)); err != nil {
		return err
	}
	return store.SetOutgoingSent(ctx, messageID(n), nil)
}

// BenchmarkListEnlistments is the start of a daemon with a thousand users.
func BenchmarkListEnlistments(b *testing.B) {
	db := upgraded(b, openBench(b, ramDisk, "sqlite3-fk-wal", 4))
	for range 1000 {
		check(b, db.Enlistments().Create(context.Background(), enlistment()))
	}
	for b.Loop() {
		_, err := db.Enlistments().List(context.Background())
		check(b, err)
	}
}

func BenchmarkSealer(b *testing.B) {
	sealer, plaintext := testKey.Sealer("bench"), make([]byte, benchSession)
	b.Run("derive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = testKey.Sealer("account/123456789")
		}
	})
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = sealer.Seal(plaintext, "postern_session.record", "s.whatsapp.net/0/4915112345678/0")
		}
	})
}

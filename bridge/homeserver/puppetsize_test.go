package homeserver_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
)

const (
	// memoryOfPuppet and databaseOfPuppet are what a contact's device may take, in bytes.
	memoryOfPuppet   = 12 << 10
	databaseOfPuppet = 6 << 10
)

// TestContactsDeviceIsSmall measures devices that have sent a message to a user with two devices.
func TestContactsDeviceIsSmall(t *testing.T) {
	const puppets = 100
	s := newStack(t)
	s.newReader(t, alice, "PHONE", puppets)
	s.newReader(t, alice, "TABLET", puppets)
	for i := range puppets {
		intent := s.connector.GhostIntent(networkid.UserID(fmt.Sprintf("c%d", i)))
		if _, err := intent.SendMessage(t.Context(), room, event.EventMessage, text("hello"), nil); err != nil {
			t.Fatal(err)
		}
	}
	loaded := heap()
	s.connector.DropPuppets()
	memory := (loaded - heap()) / puppets
	full := s.size(t)
	for _, condition := range []string{
		"crypto_account WHERE account_id<>''", "crypto_olm_session WHERE account_id<>''", "crypto_megolm_outbound_session WHERE account_id<>''",
		"crypto_megolm_inbound_session WHERE source_user<>'" + botUser + "'", "crypto_device WHERE user_id<>'" + string(alice) + "'",
		"crypto_cross_signing_signatures WHERE signed_user_id<>'" + string(alice) + "'", "crypto_tracked_user WHERE user_id<>'" + string(alice) + "'",
	} {
		if _, err := s.db.Exec(context.Background(), "DELETE FROM "+condition); err != nil {
			t.Fatal(err)
		}
	}
	database := (full - s.size(t)) / puppets
	t.Logf("a contact's device takes %d bytes of memory and %d of the database", memory, database)
	if memory <= 0 || memory > memoryOfPuppet {
		t.Errorf("memory: %d bytes, may be %d", memory, memoryOfPuppet)
	}
	if database <= 0 || database > databaseOfPuppet {
		t.Errorf("database: %d bytes, may be %d", database, databaseOfPuppet)
	}
}

// heap is what is in use after everything that is not needed was collected.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what had finalizers
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// size is that of the database without free pages.
func (s *stack) size(t *testing.T) int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "size.db")
	if _, err := s.db.Exec(context.Background(), "VACUUM INTO '"+path+"'"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

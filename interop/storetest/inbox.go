package storetest

import (
	"context"
	"testing"
	"time"

	"postern/interop"
)

var inboxTests = map[string]func(t *testing.T, store interop.Store){
	"RoundTrip":                testInboxRoundTrip,
	"DeliveredKeepsTheHash":    testMarkDelivered,
	"PruneForgetsTheDelivered": testPruneReceived,
}

func checkReceived(t *testing.T, store interop.Store, hash [32]byte, wantPlaintext string, wantFound bool) {
	t.Helper()
	plaintext, found, err := store.FindReceived(context.Background(), hash)
	must(t, err)
	equal(t, "found", found, wantFound)
	equal(t, "plain text", string(plaintext), wantPlaintext)
}

func testInboxRoundTrip(t *testing.T, store interop.Store) {
	ctx := context.Background()
	one, other := [32]byte{1}, [32]byte{31: 1}
	checkReceived(t, store, one, "", false)
	must(t, store.PutReceived(ctx, one, []byte("text\x00")))
	checkReceived(t, store, one, "text\x00", true)
	checkReceived(t, store, one, "text\x00", true) // reading does not take it away
	checkReceived(t, store, other, "", false)
}

func testMarkDelivered(t *testing.T, store interop.Store) {
	ctx := context.Background()
	hash := [32]byte{1}
	must(t, store.MarkDelivered(ctx, hash)) // unknown
	checkReceived(t, store, hash, "", false)
	must(t, store.PutReceived(ctx, hash, []byte("text")))
	for range 2 {
		must(t, store.MarkDelivered(ctx, hash))
		plaintext, found, err := store.FindReceived(ctx, hash)
		must(t, err)
		equal(t, "found", found, true)
		if plaintext != nil {
			t.Errorf("plain text of a delivered message is still there: %q", plaintext)
		}
	}
}

func testPruneReceived(t *testing.T, store interop.Store) {
	ctx := context.Background()
	delivered, waiting := [32]byte{1}, [32]byte{2}
	must(t, store.PutReceived(ctx, delivered, []byte("delivered")))
	must(t, store.PutReceived(ctx, waiting, []byte("waiting")))
	must(t, store.MarkDelivered(ctx, delivered))
	must(t, store.PruneReceived(ctx, time.Now().Add(-time.Hour)))
	checkReceived(t, store, delivered, "", true)
	must(t, store.PruneReceived(ctx, time.Now().Add(time.Hour)))
	checkReceived(t, store, delivered, "", false)
	checkReceived(t, store, waiting, "waiting", true)
}

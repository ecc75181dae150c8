package storetest

import (
	"context"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

func draft(id types.MessageID) interop.Outgoing {
	draft := message(id)
	draft.Draft = true
	return draft
}

func testDrafts(t *testing.T, store interop.Store) {
	ctx := context.Background()
	for _, queued := range []interop.Outgoing{message("A"), draft("B"), message("C")} {
		value[bool](t)(store.Enqueue(ctx, queued))
	}
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "B")), draft("B"))
	checkOutgoing(t, &value[[]interop.Outgoing](t)(store.PendingMessages(ctx, 0, 9))[1], draft("B"))

	// What is undone leaves the draft.
	err := store.Atomically(ctx, func(ctx context.Context) error {
		return errors.Join(store.CompleteOutgoing(ctx, "B", []byte("undone")), errUndo)
	})
	if !errors.Is(err, errUndo) {
		t.Fatal(err)
	}
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "B")), draft("B"))

	completed := message("B")
	completed.Plaintext = []byte("completed")
	must(t, store.CompleteOutgoing(ctx, "B", []byte("completed")))
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "B")), completed)
	equal(t, "pending", pendingIDs(t, store, 0, 9), "A B C")
	checkOutgoing(t, &value[[]interop.Outgoing](t)(store.PendingMessages(ctx, 0, 9))[1], completed)

	// Completing it again changes nothing.
	must(t, store.CompleteOutgoing(ctx, "B", []byte("again")))
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "B")), completed)
}

func testCompleteNoDraft(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.CompleteOutgoing(ctx, "UNKNOWN", []byte("completed")))
	if found := value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "UNKNOWN")); found != nil {
		t.Error("message out of nothing")
	}
	value[bool](t)(store.Enqueue(ctx, message("A")))
	must(t, store.CompleteOutgoing(ctx, "A", []byte("completed")))
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "A")), message("A"))
}

func testFailedDraft(t *testing.T, store interop.Store) {
	ctx := context.Background()
	value[bool](t)(store.Enqueue(ctx, draft("A")))
	must(t, store.SetOutgoingFailed(ctx, "A", "hopeless"))
	must(t, store.CompleteOutgoing(ctx, "A", []byte("late")))
	found := value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "A"))
	if found == nil || found.State != interop.OutgoingFailed || found.Plaintext != nil {
		t.Errorf("the failed draft is %+v", found)
	}
	equal(t, "pending", pendingIDs(t, store, 0, 9), "")
}

package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

var outboxTests = map[string]func(t *testing.T, store interop.Store){
	"RoundTrip":                  testOutboxRoundTrip,
	"EnqueueIsIdempotent":        testEnqueueTwice,
	"PendingKeepsOrder":          testPendingOrder,
	"PendingGoesOnAfter":         testPendingAfter,
	"StatesEndPending":           testOutgoingStates,
	"PruneKeepsTheNewest":        testPruneByCount,
	"PruneForgetsTheOld":         testPruneByAge,
	"PruneNeverTouchesPending":   testPruneKeepsPending,
	"SeqRisesAfterPruning":       testSeqAfterPrune,
	"InteropChatsAreNotConfused": testOutboxChats,
	"DraftsAreCompletedInPlace":  testDrafts,
	"OnlyDraftsAreCompleted":     testCompleteNoDraft,
	"FailedDraftIsErased":        testFailedDraft,
}

// message makes a message that is told apart by its id.
func message(id types.MessageID) interop.Outgoing {
	return interop.Outgoing{
		ID:        id,
		Chat:      types.NewJID("4915112345678", types.DefaultUserServer),
		Plaintext: []byte("plain text of " + id),
		Ref:       "$event-" + id,
		Created:   moment,
	}
}

func pendingIDs(t *testing.T, store interop.Store, after int64, limit int) string {
	t.Helper()
	var ids []string
	last := after
	for _, waiting := range value[[]interop.Outgoing](t)(store.PendingMessages(context.Background(), after, limit)) {
		ids = append(ids, waiting.ID)
		if waiting.Seq <= last {
			t.Errorf("seq of %s does not rise: %d after %d", waiting.ID, waiting.Seq, last)
		}
		last = waiting.Seq
	}
	return strings.Join(ids, " ")
}

func checkOutgoing(t *testing.T, got *interop.Outgoing, want interop.Outgoing) {
	t.Helper()
	if got == nil {
		t.Fatalf("message %s is not there", want.ID)
	}
	equal(t, "id", got.ID, want.ID)
	equal(t, "chat", got.Chat, want.Chat)
	equal(t, "plain text", string(got.Plaintext), string(want.Plaintext))
	equal(t, "draft", got.Draft, want.Draft)
	equal(t, "ref", got.Ref, want.Ref)
	equal(t, "state", got.State, want.State)
	equal(t, "devices", fmt.Sprint(got.Devices), fmt.Sprint(want.Devices))
	equal(t, "failure", got.Failure, want.Failure)
	equal(t, "created", got.Created.Unix(), want.Created.Unix())
}

func testOutboxRoundTrip(t *testing.T, store interop.Store) {
	ctx := context.Background()
	if found := value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "A")); found != nil {
		t.Error("message out of nothing")
	}
	equal(t, "added", value[bool](t)(store.Enqueue(ctx, message("A"))), true)
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "A")), message("A"))
	pending := value[[]interop.Outgoing](t)(store.PendingMessages(ctx, 0, 9))
	if len(pending) != 1 || pending[0].Seq <= 0 {
		t.Fatalf("got %d pending messages or no seq", len(pending))
	}
	checkOutgoing(t, &pending[0], message("A"))
	clear(pending[0].Plaintext)
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "A")), message("A"))
}

func testEnqueueTwice(t *testing.T, store interop.Store) {
	ctx := context.Background()
	changed := message("A")
	changed.Plaintext, changed.Ref = []byte("another"), "another"
	for _, state := range []interop.OutgoingState{interop.OutgoingPending, interop.OutgoingSent} {
		equal(t, "added first", value[bool](t)(store.Enqueue(ctx, message("A"))), state == interop.OutgoingPending)
		equal(t, "added again", value[bool](t)(store.Enqueue(ctx, changed)), false)
		must(t, store.SetOutgoingSent(ctx, "A", nil))
		want := message("A")
		want.State = interop.OutgoingSent
		checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "A")), want)
		equal(t, "pending", pendingIDs(t, store, 0, 9), "")
	}
}

func testPendingOrder(t *testing.T, store interop.Store) {
	ctx := context.Background()
	for _, id := range []string{"C", "A", "D", "B"} {
		queued := message(id)
		queued.Created = moment.Add(-time.Duration(id[0]) * time.Hour) // the order is not that of time
		value[bool](t)(store.Enqueue(ctx, queued))
	}
	equal(t, "pending", pendingIDs(t, store, 0, 9), "C A D B")
	equal(t, "pending, limited", pendingIDs(t, store, 0, 3), "C A D")
	equal(t, "pending, none wanted", pendingIDs(t, store, 0, 0), "")
	must(t, store.SetOutgoingSent(ctx, "A", nil))
	must(t, store.SetOutgoingFailed(ctx, "C", "refused"))
	value[bool](t)(store.Enqueue(ctx, message("C"))) // known already
	equal(t, "pending after two ended", pendingIDs(t, store, 0, 9), "D B")
}

func testPendingAfter(t *testing.T, store interop.Store) {
	ctx := context.Background()
	for _, id := range []string{"A", "B", "C", "D"} {
		value[bool](t)(store.Enqueue(ctx, message(id)))
	}
	seqs := map[string]int64{}
	for _, waiting := range value[[]interop.Outgoing](t)(store.PendingMessages(ctx, 0, 9)) {
		seqs[waiting.ID] = waiting.Seq
	}
	equal(t, "after B", pendingIDs(t, store, seqs["B"], 9), "C D")
	equal(t, "one after B", pendingIDs(t, store, seqs["B"], 1), "C")
	equal(t, "after D", pendingIDs(t, store, seqs["D"], 9), "")
	must(t, store.SetOutgoingSent(ctx, "C", nil))
	equal(t, "after B once C was sent", pendingIDs(t, store, seqs["B"], 9), "D")
	equal(t, "seq of a found message", value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "B")).Seq, seqs["B"])
}

func testOutgoingStates(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.SetOutgoingSent(ctx, "UNKNOWN", nil))
	value[bool](t)(store.Enqueue(ctx, message("SENT")))
	value[bool](t)(store.Enqueue(ctx, message("FAILED")))
	devices := []uint16{0, 3, 65535}
	must(t, store.SetOutgoingSent(ctx, "SENT", devices))
	clear(devices)
	must(t, store.SetOutgoingFailed(ctx, "FAILED", "not reachable"))

	sent, failed := message("SENT"), message("FAILED")
	sent.State, sent.Devices = interop.OutgoingSent, []uint16{0, 3, 65535}
	failed.State, failed.Failure, failed.Plaintext = interop.OutgoingFailed, "not reachable", nil
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "SENT")), sent)
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "FAILED")), failed)

	// The first end stays.
	must(t, store.SetOutgoingFailed(ctx, "SENT", "late"))
	must(t, store.SetOutgoingSent(ctx, "FAILED", nil))
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "SENT")), sent)
	checkOutgoing(t, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "FAILED")), failed)
}

// enqueueSent fills the outbox with messages M0, M1, ... that are an hour apart and were all sent.
func enqueueSent(t *testing.T, store interop.Store, count int) {
	t.Helper()
	for i := range count {
		queued := message(fmt.Sprintf("M%d", i))
		queued.Created = moment.Add(time.Duration(i) * time.Hour)
		value[bool](t)(store.Enqueue(context.Background(), queued))
		must(t, store.SetOutgoingSent(context.Background(), queued.ID, nil))
	}
}

func keptIDs(t *testing.T, store interop.Store, count int) string {
	t.Helper()
	var kept []string
	for i := range count {
		id := fmt.Sprintf("M%d", i)
		if value[*interop.Outgoing](t)(store.FindOutgoing(context.Background(), id)) != nil {
			kept = append(kept, id)
		}
	}
	return strings.Join(kept, " ")
}

func testPruneByCount(t *testing.T, store interop.Store) {
	enqueueSent(t, store, 5)
	must(t, store.PruneOutgoing(context.Background(), 2, moment.Add(-time.Hour)))
	equal(t, "kept", keptIDs(t, store, 5), "M3 M4")
	must(t, store.PruneOutgoing(context.Background(), 0, moment.Add(-time.Hour)))
	equal(t, "kept", keptIDs(t, store, 5), "")
}

func testPruneByAge(t *testing.T, store interop.Store) {
	enqueueSent(t, store, 5)
	must(t, store.PruneOutgoing(context.Background(), 100, moment.Add(2*time.Hour)))
	equal(t, "kept", keptIDs(t, store, 5), "M2 M3 M4")
}

func testPruneKeepsPending(t *testing.T, store interop.Store) {
	ctx := context.Background()
	value[bool](t)(store.Enqueue(ctx, message("WAITING")))
	enqueueSent(t, store, 3)
	must(t, store.PruneOutgoing(ctx, 1, moment.Add(1000*time.Hour)))
	equal(t, "kept", keptIDs(t, store, 3), "")
	equal(t, "pending", pendingIDs(t, store, 0, 9), "WAITING")
	enqueueSent(t, store, 3)
	must(t, store.PruneOutgoing(ctx, 2, moment.Add(-time.Hour)))
	equal(t, "kept: pending messages do not count", keptIDs(t, store, 3), "M1 M2")
}

func testSeqAfterPrune(t *testing.T, store interop.Store) {
	ctx := context.Background()
	value[bool](t)(store.Enqueue(ctx, message("A")))
	before := value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "A")).Seq
	must(t, store.SetOutgoingSent(ctx, "A", nil))
	must(t, store.PruneOutgoing(ctx, 0, moment.Add(time.Hour)))
	value[bool](t)(store.Enqueue(ctx, message("B")))
	if after := value[*interop.Outgoing](t)(store.FindOutgoing(ctx, "B")).Seq; after <= before {
		t.Errorf("seq %d was given out again: now %d", before, after)
	}
}

func testOutboxChats(t *testing.T, store interop.Store) {
	ctx := context.Background()
	chats := map[types.MessageID]types.JID{
		"A": types.NewJID("1234", types.HiddenUserServer),
		"B": {User: "1234", Server: types.InteropServer, Integrator: 7},
		"C": {User: "1234", Server: types.InteropServer, Integrator: 65535},
	}
	for id, chat := range chats {
		queued := message(id)
		queued.Chat = chat
		value[bool](t)(store.Enqueue(ctx, queued))
	}
	for id, chat := range chats {
		equal(t, "chat of "+id, value[*interop.Outgoing](t)(store.FindOutgoing(ctx, id)).Chat, chat)
	}
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"postern/interop"
)

var errUndo = errors.New("undo this")

var transactionTests = map[string]func(t *testing.T, store interop.Store){
	"CommitKeepsEverything":             testCommit,
	"ErrorUndoesEverything":             testRollback,
	"PanicUndoesEverything":             testPanic,
	"InnerErrorThatIsReturnedUndoes":    testNestedError,
	"NestedCallsCommitWithTheOutermost": testNestedCommit,
	"ChangesAreVisibleInside":           testReadYourWrites,
	"TransactionsDoNotInterleave":       testIsolation,
	"EndedContextDoesNothing":           testEndedContext,
}

// touchEverything changes every kind of state.
func touchEverything(ctx context.Context, store interop.Store) error {
	if _, err := store.Enqueue(ctx, message("NEW")); err != nil {
		return err
	}
	return errors.Join(
		store.SaveSession(ctx, phone, []byte("new")),
		store.SaveIdentity(ctx, phone, [32]byte{2}),
		store.SetHeld(ctx, phone.JID(), true),
		store.RemovePreKey(ctx, 1),
		store.AddPreKeys(ctx, preKeys(2), false),
		store.AddSignedPreKey(ctx, signedPreKey(2, moment)),
		store.SetOutgoingSent(ctx, "OLD", nil),
		store.MarkDelivered(ctx, [32]byte{1}),
		store.PutReceived(ctx, [32]byte{2}, []byte("second")),
	)
}

// prepare makes the state that touchEverything changes.
func prepare(t *testing.T, store interop.Store) {
	t.Helper()
	ctx := context.Background()
	must(t, store.SaveSession(ctx, phone, []byte("old")))
	must(t, store.SaveIdentity(ctx, phone, [32]byte{1}))
	must(t, store.AddPreKeys(ctx, preKeys(1), false))
	must(t, store.AddSignedPreKey(ctx, signedPreKey(1, moment)))
	value[bool](t)(store.Enqueue(ctx, message("OLD")))
	must(t, store.PutReceived(ctx, [32]byte{1}, []byte("first")))
}

// describe tells the state that touchEverything changes, for comparison.
func describe(t *testing.T, store interop.Store) string {
	t.Helper()
	ctx := context.Background()
	identity, _, err := store.LoadIdentity(ctx, phone)
	must(t, err)
	first, _, err := store.FindReceived(ctx, [32]byte{1})
	must(t, err)
	second, secondFound, err := store.FindReceived(ctx, [32]byte{2})
	must(t, err)
	var pending []string
	for _, waiting := range value[[]interop.Outgoing](t)(store.PendingMessages(ctx, 0, 9)) {
		pending = append(pending, waiting.ID)
	}
	return fmt.Sprintf("session %s, identity %d, held %t, prekey 1 %t, last prekey %d, signed prekey %d, pending %v, inbox %q %q %t",
		value[[]byte](t)(store.LoadSession(ctx, phone)), identity[0], value[bool](t)(store.IsHeld(ctx, phone.JID())),
		value[*interop.PreKey](t)(store.LoadPreKey(ctx, 1)) != nil, value[uint32](t)(store.LastPreKeyID(ctx)),
		value[*interop.SignedPreKey](t)(store.LoadSignedPreKey(ctx, 0)).ID, pending, first, second, secondFound)
}

const (
	stateBefore = `session old, identity 1, held false, prekey 1 true, last prekey 1, signed prekey 1, pending [OLD], inbox "first" "" false`
	stateAfter  = `session new, identity 2, held true, prekey 1 false, last prekey 2, signed prekey 2, pending [NEW], inbox "" "second" true`
)

func testCommit(t *testing.T, store interop.Store) {
	prepare(t, store)
	equal(t, "state before", describe(t, store), stateBefore)
	must(t, store.Atomically(context.Background(), func(ctx context.Context) error { return touchEverything(ctx, store) }))
	equal(t, "state after", describe(t, store), stateAfter)
}

func testRollback(t *testing.T, store interop.Store) {
	prepare(t, store)
	err := store.Atomically(context.Background(), func(ctx context.Context) error {
		return errors.Join(touchEverything(ctx, store), errUndo)
	})
	if !errors.Is(err, errUndo) {
		t.Errorf("error of the function got lost: %v", err)
	}
	equal(t, "state after", describe(t, store), stateBefore)
	// The store still works.
	must(t, store.Atomically(context.Background(), func(ctx context.Context) error { return touchEverything(ctx, store) }))
	equal(t, "state after the second try", describe(t, store), stateAfter)
}

func testPanic(t *testing.T, store interop.Store) {
	prepare(t, store)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the function's panic was swallowed")
			}
		}()
		_ = store.Atomically(context.Background(), func(ctx context.Context) error {
			must(t, touchEverything(ctx, store))
			panic("in the middle")
		})
	}()
	equal(t, "state after", describe(t, store), stateBefore)
}

func testNestedError(t *testing.T, store interop.Store) {
	prepare(t, store)
	err := store.Atomically(context.Background(), func(ctx context.Context) error {
		must(t, store.SaveSession(ctx, phone, []byte("outer")))
		return store.Atomically(ctx, func(ctx context.Context) error {
			return errors.Join(touchEverything(ctx, store), errUndo)
		})
	})
	if !errors.Is(err, errUndo) {
		t.Errorf("error of the inner function got lost: %v", err)
	}
	equal(t, "state after", describe(t, store), stateBefore)
}

func testNestedCommit(t *testing.T, store interop.Store) {
	prepare(t, store)
	err := store.Atomically(context.Background(), func(ctx context.Context) error {
		must(t, store.Atomically(ctx, func(ctx context.Context) error { return touchEverything(ctx, store) }))
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Errorf("error of the outer function got lost: %v", err)
	}
	equal(t, "state after the outer one failed", describe(t, store), stateBefore)
	must(t, store.Atomically(context.Background(), func(ctx context.Context) error {
		return store.Atomically(ctx, func(ctx context.Context) error { return touchEverything(ctx, store) })
	}))
	equal(t, "state after both succeeded", describe(t, store), stateAfter)
}

func testReadYourWrites(t *testing.T, store interop.Store) {
	prepare(t, store)
	must(t, store.Atomically(context.Background(), func(ctx context.Context) error {
		must(t, touchEverything(ctx, store))
		equal(t, "session", string(value[[]byte](t)(store.LoadSession(ctx, phone))), "new")
		equal(t, "last prekey", value[uint32](t)(store.LastPreKeyID(ctx)), 2)
		equal(t, "pending", len(value[[]interop.Outgoing](t)(store.PendingMessages(ctx, 0, 9))), 1)
		plaintext, found, err := store.FindReceived(ctx, [32]byte{2})
		must(t, err)
		equal(t, "inbox", string(plaintext), "second")
		equal(t, "inbox entry found", found, true)
		return nil
	}))
}

// testIsolation counts in a session from several goroutines: a lost update shows as a sum that is too low.
func testIsolation(t *testing.T, store interop.Store) {
	const workers, rounds = 4, 10
	must(t, store.SaveSession(context.Background(), phone, []byte{0}))
	var group sync.WaitGroup
	failures := make([]error, workers)
	for worker := range workers {
		group.Go(func() {
			for range rounds {
				failures[worker] = errors.Join(failures[worker], store.Atomically(context.Background(), func(ctx context.Context) error {
					count, err := store.LoadSession(ctx, phone)
					if err != nil {
						return err
					}
					return store.SaveSession(ctx, phone, []byte{count[0] + 1})
				}))
			}
		})
	}
	group.Wait()
	must(t, errors.Join(failures...))
	equal(t, "count", value[[]byte](t)(store.LoadSession(context.Background(), phone))[0], workers*rounds)
}

func testEndedContext(t *testing.T, store interop.Store) {
	prepare(t, store)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := store.Atomically(ctx, func(ctx context.Context) error { return touchEverything(ctx, store) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	equal(t, "state after", describe(t, store), stateBefore)
}

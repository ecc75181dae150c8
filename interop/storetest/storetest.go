// Package storetest holds what every [interop.Store] must pass. The client relies on all of it: on transactions so that
// no ratchet step is half stored, on the order of the outbox so that messages leave as they were written, on prekey
// ids that never come back, and on an inbox that knows what was delivered.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) interop.Store { return newStore(t) })
//	}
package storetest

import (
	"context"
	"testing"

	"postern/interop"
)

// Run tests the stores that factory makes: each call must return an empty store of an account of its own.
func Run(t *testing.T, factory func(t *testing.T) interop.Store) {
	t.Helper()
	for _, group := range []struct {
		name  string
		tests map[string]func(t *testing.T, store interop.Store)
	}{
		{"Transactions", transactionTests},
		{"Sessions", sessionTests},
		{"Holds", holdTests},
		{"PreKeys", preKeyTests},
		{"SignedPreKeys", signedPreKeyTests},
		{"Outbox", outboxTests},
		{"Inbox", inboxTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for name, test := range group.tests {
				t.Run(name, func(t *testing.T) { test(t, factory(t)) })
			}
		})
	}
	t.Run("AccountsAreApart", func(t *testing.T) { testAccountsAreApart(t, factory(t), factory(t)) })
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// value ends the test on an error and returns the value otherwise.
func value[T any](t *testing.T) func(T, error) T {
	return func(got T, err error) T {
		t.Helper()
		must(t, err)
		return got
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func testAccountsAreApart(t *testing.T, one, other interop.Store) {
	ctx := context.Background()
	must(t, one.SaveSession(ctx, phone, []byte("one")))
	must(t, one.SaveIdentity(ctx, phone, [32]byte{1}))
	must(t, one.AddPreKeys(ctx, preKeys(7), false))
	must(t, one.AddSignedPreKey(ctx, signedPreKey(3, moment)))
	value[bool](t)(one.Enqueue(ctx, message("A")))
	must(t, one.PutReceived(ctx, [32]byte{9}, []byte("text")))

	equal(t, "other account's session", string(value[[]byte](t)(other.LoadSession(ctx, phone))), "")
	_, found, err := other.LoadIdentity(ctx, phone)
	must(t, err)
	equal(t, "other account has the identity", found, false)
	equal(t, "other account's last prekey", value[uint32](t)(other.LastPreKeyID(ctx)), 0)
	equal(t, "other account's prekeys", len(value[[]interop.PreKey](t)(other.UnsentPreKeys(ctx))), 0)
	equal(t, "other account has the signed prekey", value[*interop.SignedPreKey](t)(other.LoadSignedPreKey(ctx, 3)) != nil, false)
	equal(t, "other account's outbox", len(value[[]interop.Outgoing](t)(other.PendingMessages(ctx, 0, 9))), 0)
	_, found, err = other.FindReceived(ctx, [32]byte{9})
	must(t, err)
	equal(t, "other account has the inbox entry", found, false)

	// The same keys are free for the other account to use.
	equal(t, "other account could enqueue the same id", value[bool](t)(other.Enqueue(ctx, message("A"))), true)
	must(t, other.AddPreKeys(ctx, preKeys(7), false))
	must(t, other.AddSignedPreKey(ctx, signedPreKey(3, moment)))
	must(t, other.PutReceived(ctx, [32]byte{9}, []byte("text")))
}

package interop_test

import (
	"context"
	"testing"
)

// BenchmarkEncryptAndDecrypt is one message through a session, stores in memory included.
func BenchmarkEncryptAndDecrypt(b *testing.B) {
	ctx := context.Background()
	for _, shape := range []struct {
		name string
		both bool
	}{{"OneWay", false}, {"Turns", true}} {
		b.Run(shape.name, func(b *testing.B) {
			alice, bob := newParties()
			wantText(b, bob, alice, encrypt(b, alice, bob, "start"), "start")
			wantText(b, alice, bob, encrypt(b, bob, alice, "turn"), "turn")
			plaintext := conversation("Good morning! Are we still on for lunch at half past twelve?")
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				from, to := alice, bob
				if shape.both && i%2 == 1 {
					from, to = bob, alice
				}
				message, _, err := from.Encrypt(ctx, to, plaintext, 0, false)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, _, err = to.Decrypt(ctx, from, message); err != nil {
					b.Fatal(err)
				}
				if err = to.MarkDelivered(ctx, from, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

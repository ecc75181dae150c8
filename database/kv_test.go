package database_test

import (
	"bytes"
	"context"
	"testing"

	"go.mau.fi/util/dbutil"
)

func TestKVKeepsTheLastValue(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		kv := upgraded(t, raw).KV()
		expect := func(name string, want []byte) {
			t.Helper()
			if got := must(kv.Get(ctx, name)); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		expect("sync", nil)
		check(t, kv.Set(ctx, "sync", []byte("s1")))
		check(t, kv.Set(ctx, "empty", []byte{}))
		check(t, kv.Set(ctx, "sync", []byte("s2")))
		expect("sync", []byte("s2"))
		expect("empty", []byte{})
		check(t, kv.Delete(ctx, "sync"))
		check(t, kv.Delete(ctx, "sync"))
		expect("sync", nil)
		expect("empty", []byte{})
	})
}

// Package servertest gives tests a homeserver of their own.
package servertest

import (
	"context"
	"os"
	"testing"
	"time"

	"postern/testbed/homeserver"
	"postern/testbed/process"
	"postern/testbed/programs"
	"postern/testbed/scratch"
)

// Limit is how long one test may take. It is far more than any needs, on a machine that does nothing else.
const Limit = 3 * time.Minute

// Context ends with the test, or when the limit is over.
func Context(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// Dir is a folder on a fast disk that is removed with the test.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := scratch.New("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// New prepares a homeserver. Kind, binary and folder are filled in if they are empty. It is killed with the test, and
// its log is shown if the test failed.
func New(t testing.TB, options homeserver.Options) *homeserver.Server {
	t.Helper()
	builder, err := programs.NewBuilder(false)
	if err != nil {
		t.Fatal(err)
	}
	if options.Kind == "" {
		options.Kind = homeserver.KindFromEnvironment()
	}
	if options.Binary, err = builder.Homeserver(Context(t, Limit), options.Kind); err != nil {
		t.Fatal(err)
	}
	options.Dir = Dir(t)
	server, err := homeserver.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Kill()
		if t.Failed() {
			t.Logf("end of %s's log:\n%s", server.Kind(), process.LogTail(server.LogFile()))
		}
	})
	return server
}

// Start is New for a homeserver that runs.
func Start(t testing.TB, options homeserver.Options) *homeserver.Server {
	t.Helper()
	server := New(t, options)
	if err := server.Start(Context(t, Limit)); err != nil {
		t.Fatal(err)
	}
	return server
}

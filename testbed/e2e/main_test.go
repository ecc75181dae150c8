package e2e_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"postern/testbed/homeserver"
	"postern/testbed/postgres"
	"postern/testbed/programs"
	"postern/testbed/stack"
)

const (
	// limit is how long one test may take.
	limit = 3 * time.Minute
	// patience is how long one event may take to arrive. It takes milliseconds on a machine that does nothing else.
	patience = time.Minute
)

// raceVariable makes the bridge under test be built with the race detector.
const raceVariable = "POSTERN_RACE"

var (
	builder *programs.Builder
	common  sharedStack
)

// sharedStack is the installation of all tests that break nothing. It starts when the first of them asks for it.
type sharedStack struct {
	once  sync.Once
	stack *stack.Stack
	err   error
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if builder, err = programs.NewBuilder(os.Getenv(raceVariable) != ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer chromium.close()
	code := m.Run()
	if common.stack == nil {
		return code
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, common.stack.Logs())
	}
	if err = common.stack.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "the shared installation did not end as it should:", err)
		return 1
	}
	return code
}

// shared lets the test run beside others, in the installation that they share.
func shared(t *testing.T) (context.Context, *stack.Stack) {
	t.Helper()
	t.Parallel()
	common.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		common.stack, common.err = stack.Start(ctx, stack.Options{
			Homeserver: homeserver.KindFromEnvironment(), Postgres: postgres.Chosen(), Builder: builder, LogLevel: "debug",
		})
	})
	if common.err != nil {
		t.Fatal(common.err)
	}
	return within(t, limit), common.stack
}

// own starts an installation for one test, which may break it.
func own(t *testing.T, options stack.Options) (context.Context, *stack.Stack) {
	t.Helper()
	t.Parallel()
	ctx := within(t, limit)
	options.Homeserver, options.Postgres, options.Builder = homeserver.KindFromEnvironment(), postgres.Chosen(), builder
	if options.LogLevel == "" {
		options.LogLevel = "debug"
	}
	s, err := stack.Start(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Logs())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, s
}

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

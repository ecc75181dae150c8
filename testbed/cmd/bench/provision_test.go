package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestInsistSaysWhatFailedAndHowOften(t *testing.T) {
	trouble := errors.New("status 502")
	for name, test := range map[string]struct {
		failures, calls int
		want            string
	}{
		"at once":      {0, 1, ""},
		"the last try": {2, 3, ""},
		"never":        {99, 3, "failed to enlist @idle-7:test, tried 3 times: status 502"},
	} {
		calls := 0
		err := insist(context.Background(), 3, time.Nanosecond, "enlist @idle-7:test", func() error {
			if calls++; calls <= test.failures {
				return trouble
			}
			return nil
		})
		if calls != test.calls || (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
	}
}

func TestInsistEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	err := insist(ctx, 1000, time.Hour, "wait", func() error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "tried 1 times") {
		t.Errorf("got %v", err)
	}
}

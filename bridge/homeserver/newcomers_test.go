package homeserver_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"postern/bridge/homeserver"
)

// TestANewcomersFirstMessageWaits, and no other.
func TestANewcomersFirstMessageWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var newcomers homeserver.Newcomers
		waited := func(room, user string) time.Duration {
			before := time.Now()
			if err := newcomers.Wait(t.Context(), room, user); err != nil {
				t.Error(err)
			}
			return time.Since(before)
		}
		newcomers.Came("!room", "@bob")
		time.Sleep(homeserver.Introduction / 5)
		newcomers.Came("!other", "@carol")
		for _, test := range []struct {
			room, user string
			want       time.Duration
		}{
			{"!room", "@carol", 0},
			{"!other", "@bob", 0},
			{"!room", "@bob", homeserver.Introduction * 4 / 5},
			{"!room", "@bob", 0},
			{"!other", "@carol", homeserver.Introduction / 5},
		} {
			if got := waited(test.room, test.user); got != test.want {
				t.Errorf("%s waited %s to write into %s, want %s", test.user, got, test.room, test.want)
			}
		}
	})
}

func TestANewcomersMessageDoesNotOutliveItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var newcomers homeserver.Newcomers
		newcomers.Came("!room", "@bob")
		ctx, cancel := context.WithTimeout(t.Context(), homeserver.Introduction/2)
		defer cancel()
		if err := newcomers.Wait(ctx, "!room", "@bob"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

package homeserver_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"postern/bridge/homeserver"
)

// waited returns how long someone waits to write into a room.
func waited(t *testing.T, newcomers *homeserver.Newcomers, room, user string) time.Duration {
	t.Helper()
	before := time.Now()
	if err := newcomers.Wait(t.Context(), room, user); err != nil {
		t.Error(err)
	}
	return time.Since(before)
}

// TestANewcomersFirstMessageWaits, and no other.
func TestANewcomersFirstMessageWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newcomers := homeserver.NewNewcomers()
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
			if got := waited(t, &newcomers, test.room, test.user); got != test.want {
				t.Errorf("%s waited %s to write into %s, want %s", test.user, got, test.room, test.want)
			}
		}
	})
}

// TestEverybodyWaitsForAUserWhoComes, whose client knows nobody yet, and for no longer than that.
func TestEverybodyWaitsForAUserWhoComes(t *testing.T) {
	for name, test := range map[string]struct{ after, want time.Duration }{
		"soon after the contact": {homeserver.Introduction / 5, homeserver.Introduction},
		"long after the contact": {time.Hour, homeserver.Introduction},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				newcomers := homeserver.NewNewcomers()
				newcomers.Came("!room", "@bob")
				time.Sleep(test.after)
				newcomers.Came("!room", homeserver.Anyone)
				if got := waited(t, &newcomers, "!other", "@bob"); got != 0 {
					t.Errorf("waited %s to write into another room", got)
				}
				if got := waited(t, &newcomers, "!room", "@bob"); got != test.want {
					t.Errorf("waited %s, want %s", got, test.want)
				}
				if got := waited(t, &newcomers, "!room", "@carol"); got != 0 {
					t.Errorf("then waited %s again", got)
				}
			})
		})
	}
}

// TestWhoHadNoKeysWaitsInEveryRoom, and nobody else.
func TestWhoHadNoKeysWaitsInEveryRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newcomers := homeserver.NewNewcomers()
		newcomers.Came(homeserver.Anywhere, "@bob")
		if got := waited(t, &newcomers, "!room", "@carol"); got != 0 {
			t.Errorf("another contact waited %s", got)
		}
		if got := waited(t, &newcomers, "!room", "@bob"); got != homeserver.Introduction {
			t.Errorf("waited %s", got)
		}
		if got := waited(t, &newcomers, "!other", "@bob"); got != 0 {
			t.Errorf("then waited %s again", got)
		}
	})
}

func TestANewcomersMessageDoesNotOutliveItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newcomers := homeserver.NewNewcomers()
		newcomers.Came("!room", "@bob")
		ctx, cancel := context.WithTimeout(t.Context(), homeserver.Introduction/2)
		defer cancel()
		if err := newcomers.Wait(ctx, "!room", "@bob"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

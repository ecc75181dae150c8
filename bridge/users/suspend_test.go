package users_test

import (
	"strings"
	"testing"

	"postern/bridge/users"
)

func TestOnlyOwnUsersAreSuspendedForAReason(t *testing.T) {
	for _, test := range []struct{ user, reason, want string }{
		{"@alice:example.org", "  spam\nand\tmore ", "spam and more"}, {"@alice:example.org", " \n", ""}, {"@alice:other.org", "spam", ""},
		{"alice", "spam", ""}, {"", "spam", ""}, {"@alice:example.org", strings.Repeat("x", 501), ""}, {"@alice:example.org", strings.Repeat("x", 500), strings.Repeat("x", 500)},
	} {
		user, reason, err := users.ParseSuspension(test.user, test.reason, "example.org")
		if (err == nil) != (test.want != "") || reason != test.want || (err == nil && string(user) != test.user) {
			t.Errorf("%q %.20q: %q %.20q %v", test.user, test.reason, user, reason, err)
		}
	}
}

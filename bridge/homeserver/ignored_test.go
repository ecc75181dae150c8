package homeserver_test

import (
	"testing"

	"postern/bridge/homeserver"
)

func FuzzIgnored(f *testing.F) {
	for _, seed := range []string{
		`{"ignored_users":{"@bob:example.org":{}}}`, `{"ignored_users":{"@bob:example.org":null,"":1}}`, `{"ignored_users":[]}`, `{}`, `null`, `[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		users, err := homeserver.ParseIgnored(data)
		if err != nil && users != nil {
			t.Error("an error and users")
		}
		if len(users)*4 > len(data) {
			t.Errorf("%d bytes name %d users", len(data), len(users))
		}
	})
}

func TestIgnoreListIsRead(t *testing.T) {
	users, err := homeserver.ParseIgnored([]byte(`{"ignored_users":{"@bob:example.org":{}},"other":1}`))
	if err != nil || len(users) != 1 || users[0] != "@bob:example.org" {
		t.Errorf("got %v, %v", users, err)
	}
}

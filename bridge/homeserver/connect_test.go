package homeserver_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"postern/bridge/homeserver"
)

func TestStartSaysWhatTheHomeserverRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		path, code string
		status     int
		want       error
	}{
		"unknown token":   {"/account/whoami", "M_UNKNOWN_TOKEN", 401, homeserver.ErrTokenRefused},
		"exclusive":       {"/account/whoami", "M_EXCLUSIVE", 400, homeserver.ErrNamespace},
		"forbidden":       {"/account/whoami", "M_FORBIDDEN", 403, homeserver.ErrNamespace},
		"no way to login": {"/login", "M_UNRECOGNIZED", 404, homeserver.ErrNoDevice},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stack{fake: newFakeHomeserver(t), kv: &memoryKV{values: make(map[string][]byte)}}
			s.db = openDatabase(t, filepath.Join(t.TempDir(), "test.db"))
			s.fake.setRefusal(test.path, test.status, test.code)
			if name == "no way to login" {
				s.fake.setRefusal("/devices/", 404, "M_UNRECOGNIZED")
			}
			err := s.tryStart(t, "secret")
			t.Cleanup(func() { s.bridge.Stop() })
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if strings.Contains(err.Error(), asTok) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

func TestStartWaitsForTheHomeserver(t *testing.T) {
	s := &stack{fake: newFakeHomeserver(t), kv: &memoryKV{values: make(map[string][]byte)}}
	s.db = openDatabase(t, filepath.Join(t.TempDir(), "test.db"))
	s.fake.setRefusal("/versions", 502, "M_UNKNOWN")
	done := make(chan error)
	go func() { done <- s.tryStart(t, "secret") }()
	s.fake.wait("GET", "/versions", 1)
	s.fake.setRefusal("/versions", 0, "")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bridge.Stop)
	if got := s.connector.Features(); got.Software != "Dendrite" || s.connector.ToDevicePushed() || got.MSC4190 {
		t.Errorf("features %+v", got)
	}
}

package homeserver_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"postern/testbed/homeserver"
	"postern/testbed/process"
	"postern/testbed/servertest"
)

func whoAmI(t *testing.T, server *homeserver.Server, token string) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, server.URL()+"/_matrix/client/v3/account/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		UserID string `json:"user_id"`
	}
	if err = json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.UserID
}

func TestUsersOutliveARestart(t *testing.T) {
	server, ctx := servertest.New(t, homeserver.Options{}), servertest.Context(t, servertest.Limit)
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	alice, err := server.CreateUser(ctx, "alice", "long enough")
	if err != nil {
		t.Fatal(err)
	}
	if want := "@alice:" + server.Domain(); alice.UserID != want {
		t.Errorf("got user %s, want %s", alice.UserID, want)
	}
	if _, err = server.CreateUser(ctx, "alice", "also long enough"); !errors.Is(err, homeserver.ErrRegister) {
		t.Errorf("registering a taken name: got %v", err)
	}
	if err = server.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err = server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if user := whoAmI(t, server, alice.AccessToken); user != alice.UserID {
		t.Errorf("after the restart the token belongs to %q", user)
	}
	if err = server.Restart(ctx); !errors.Is(err, process.ErrRunning) {
		t.Errorf("starting a running server: got %v", err)
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	_, err := homeserver.New(homeserver.Options{Kind: "conduit", Dir: t.TempDir()})
	if !errors.Is(err, homeserver.ErrUnknownKind) {
		t.Errorf("got %v", err)
	}
}

package homeserver_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"postern/bridge/homeserver"
)

// get asks the bridge's listener for something, with a token.
func (s *stack) get(t *testing.T, path, token string) (int, homeserver.Queries) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var told homeserver.Queries
	_ = json.NewDecoder(response.Body).Decode(&told) // not all answers are that
	return response.StatusCode, told
}

// TestTheBridgeCountsWhoAsksForContacts: nothing else shows that Dendrite has a wrong hs_token.
func TestTheBridgeCountsWhoAsksForContacts(t *testing.T) {
	s := newStack(t)
	user := "/_matrix/app/v1/users/" + url.PathEscape("@postern_doctor:example.org")
	for token, want := range map[string]int{hsTok: http.StatusNotFound, "other": http.StatusUnauthorized, asTok: http.StatusUnauthorized} {
		if status, _ := s.get(t, user, token); status != want {
			t.Errorf("status %d, want %d", status, want)
		}
	}
	if status, told := s.get(t, homeserver.QueriesPath, hsTok); status != http.StatusOK || told != (homeserver.Queries{Accepted: 1, Refused: 2}) {
		t.Errorf("status %d, told %+v", status, told)
	}
	if status, told := s.get(t, homeserver.QueriesPath, "other"); status != http.StatusUnauthorized || told != (homeserver.Queries{}) {
		t.Errorf("a stranger gets status %d, is told %+v", status, told)
	}
}

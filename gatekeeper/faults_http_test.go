package gatekeeper_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// read returns the whole answer to a request.
func read(response *http.Response, err error) (status int, body []byte, problem error) {
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func TestFaultsOfAnswers(t *testing.T) {
	s := start(t)
	alice := newIdentity("@alice:example.org")
	form := func() url.Values { return alice.form(s.partner.token(t, alice.subject, nil)) }
	for route, ask := range map[string]func() (int, []byte, error){
		"enlist": func() (int, []byte, error) { return read(http.PostForm(s.EnlistURL(), form())) },
		"keys":   func() (int, []byte, error) { return read(http.Get(s.URL() + "/.well-known/jwks")) },
	} {
		for mode, check := range map[string]func(status int, body []byte, err error) bool{
			"error": func(status int, _ []byte, err error) bool {
				return err == nil && status == http.StatusServiceUnavailable
			},
			"rubbish": func(status int, body []byte, err error) bool { return err == nil && status == 200 && !json.Valid(body) },
			"cut": func(status int, body []byte, err error) bool {
				return err != nil && status == 200 && bytes.HasPrefix(body, []byte("{"))
			},
		} {
			s.fault("http", map[string]any{"route": route, "mode": mode, "times": 2})
			for range 2 {
				if status, body, err := ask(); !check(status, body, err) {
					t.Errorf("%s %s: status %d, %d bytes, %v", route, mode, status, len(body), err)
				}
			}
			if status, body, err := ask(); err != nil || status != http.StatusOK || !json.Valid(body) {
				t.Errorf("after %s %s: status %d, %v", route, mode, status, err)
			}
		}
	}
	for _, bad := range []map[string]any{{"route": "media"}, {"route": "keys", "mode": "odd"}, {"route": "keys", "times": -1}} {
		if status := s.control("POST", "/faults/http", bad, nil); status != http.StatusBadRequest {
			t.Errorf("%v: status %d", bad, status)
		}
	}
}

func TestAnEnlistmentWhoseAnswerIsLostIsDone(t *testing.T) {
	s := start(t)
	alice := newIdentity("@alice:example.org")
	s.fault("http", map[string]any{"route": "enlist", "mode": "cut"})
	if _, _, err := read(http.PostForm(s.EnlistURL(), alice.form(s.partner.token(t, alice.subject, nil)))); err == nil {
		t.Error("the answer came")
	}
	var list struct{ Accounts []struct{ JID string } }
	s.control("GET", "/interop", nil, &list)
	if len(list.Accounts) != 1 {
		t.Fatalf("%d accounts", len(list.Accounts))
	}
	if again, _ := s.enlist(alice.form(s.partner.token(t, alice.subject, nil))); again != list.Accounts[0].JID {
		t.Errorf("the second try got %s instead of %s", again, list.Accounts[0].JID)
	}
}

func TestASlowAnswerComesWhenTheFaultIsLifted(t *testing.T) {
	s := start(t)
	s.fault("http", map[string]any{"route": "keys", "mode": "slow"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", s.URL()+"/.well-known/jwks", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = read(http.DefaultClient.Do(request)); err == nil {
		t.Error("a slow answer came at once")
	}
	s.fault("http", map[string]any{"route": "keys", "mode": "slow"})
	done := make(chan error, 1)
	go func() {
		_, _, err := read(http.Get(s.URL() + "/.well-known/jwks"))
		done <- err
	}()
	s.fault("http", map[string]any{"route": "keys", "mode": ""})
	if err = <-done; err != nil {
		t.Error(err)
	}
}

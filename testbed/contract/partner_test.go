package contract_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func (s *sides) testKeys(t *testing.T) {
	const path = "/.well-known/oauth/openid/jwks"
	for _, method := range []string{"GET", "HEAD"} {
		etag := s.partner.ask(t, http.StatusOK, method, path, nil).Header.Get("ETag")
		s.partner.ask(t, http.StatusNotModified, method, path, nil, "If-None-Match", etag)
		s.broken.ask(t, http.StatusServiceUnavailable, method, path, nil)
	}
	s.gatekeeper.ask(t, http.StatusOK, "GET", "/.well-known/jwks", nil)
	s.gatekeeper.fault(t, "http", `{"route": "keys", "mode": "error"}`)
	s.gatekeeper.ask(t, http.StatusServiceUnavailable, "GET", "/.well-known/jwks", nil)
}

func (s *sides) testPush(t *testing.T) {
	var answer struct{ Statuses map[string]int }
	for _, user := range []string{alice, "@nobody:" + domain, "", "\x00", strings.Repeat("x", 300)} {
		request, err := json.Marshal(map[string]string{"account": user})
		if err != nil {
			t.Fatal(err)
		}
		s.gatekeeper.control(t, "POST", "/push", request, &answer)
		if answer.Statuses["200"] != 1 || len(answer.Statuses) != 1 {
			t.Errorf("push for %.10q: %v", user, answer.Statuses)
		}
	}
	token := s.partner.lastToken()
	const right = `{"to":"` + alice + `","later":1}`
	s.partner.ask(t, http.StatusOK, "POST", "/push", strings.NewReader(right), "Authorization", token, "Content-Type", "application/json")
	s.partner.ask(t, http.StatusUnauthorized, "POST", "/push", strings.NewReader(right))
	s.partner.ask(t, http.StatusUnauthorized, "POST", "/push", strings.NewReader(right), "Authorization", token+"x")
	s.partner.ask(t, http.StatusBadRequest, "POST", "/push", strings.NewReader(`{}`), "Authorization", token)
	s.partner.ask(t, http.StatusRequestEntityTooLarge, "POST", "/push", strings.NewReader(strings.Repeat(" ", 5000)), "Authorization", token)
	s.broken.ask(t, http.StatusServiceUnavailable, "POST", "/push", strings.NewReader(right), "Authorization", token)
}

// host keeps a file at the partner and returns its reference.
func (s *sides) host(t *testing.T, content string) string {
	t.Helper()
	reference, err := s.partner.server.PutMedia(context.Background(), "login", func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

func (s *sides) testPartnerFiles(t *testing.T) {
	reference := s.host(t, "ciphertext")
	unknown := strings.Repeat("A", len(reference))
	for _, method := range []string{"GET", "HEAD"} {
		s.partner.ask(t, http.StatusOK, method, "/media/"+reference, nil)
		s.partner.ask(t, http.StatusNotFound, method, "/media/"+unknown, nil)
	}
	path := "/media/" + reference
	s.partner.ask(t, http.StatusPartialContent, "GET", path, nil, "Range", "bytes=2-4")
	s.partner.ask(t, http.StatusRequestedRangeNotSatisfiable, "GET", path, nil, "Range", "bytes=10-")
	s.partner.ask(t, http.StatusNotModified, "GET", path, nil, "If-None-Match", `"0"`)
	s.partner.ask(t, http.StatusNotFound, "GET", "/media/guessed", nil)
	s.broken.ask(t, http.StatusServiceUnavailable, "GET", path, nil)

	download := func(number int, reference string) string {
		return fmt.Sprintf("/interop/whatsapp/download/%d/%s/", number, reference)
	}
	s.gatekeeper.ask(t, http.StatusOK, "GET", download(integrator, reference), nil)
	s.gatekeeper.ask(t, http.StatusNotFound, "GET", download(integrator, unknown), nil)
	s.gatekeeper.ask(t, http.StatusNotFound, "GET", download(99, reference), nil)
	s.gatekeeper.ask(t, http.StatusBadGateway, "GET", download(integrator+1, reference), nil)
}

// burst is how many requests the busy partner takes at once.
const burst = 10

func (s *sides) testTooMany(t *testing.T) {
	for range burst {
		s.busy.ask(t, http.StatusNotFound, "GET", "/", nil)
	}
	for _, path := range []string{"/.well-known/oauth/openid/jwks", "/media/" + strings.Repeat("A", 43)} {
		for _, method := range []string{"GET", "HEAD"} {
			s.busy.ask(t, http.StatusTooManyRequests, method, path, nil)
		}
	}
	s.busy.ask(t, http.StatusTooManyRequests, "POST", "/push", nil)
}

// testStrangers asks for what there is not.
func (s *sides) testStrangers(t *testing.T) {
	for _, path := range []string{"/", "/media", "/media/", "/media/a/b", "/push/", "/%2e%2e/etc/passwd", "/.well-known/jwks", "/3p/interop_reg", "/admin"} {
		s.partner.ask(t, http.StatusNotFound, "GET", path, nil)
	}
	for method, path := range map[string]string{"DELETE": "/push", "PUT": "/.well-known/oauth/openid/jwks", "GET": "/push"} {
		s.partner.ask(t, http.StatusMethodNotAllowed, method, path, nil)
	}
	s.partner.ask(t, http.StatusNotFound, "PUT", "/media/"+strings.Repeat("A", 43), strings.NewReader("x"))
	for _, path := range []string{"/", "/saw", "/info", "/mms/image", "/interop/", "/pictures/"} {
		s.gatekeeper.ask(t, http.StatusNotFound, "GET", path, nil)
	}
	s.gatekeeper.ask(t, http.StatusMethodNotAllowed, "GET", "/3p/interop_reg", nil)
}

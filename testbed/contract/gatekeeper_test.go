package contract_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/interop"
)

const formType = "application/x-www-form-urlencoded"

func (s *sides) testEnlistment(t *testing.T) {
	target := s.gatekeeper.described(t)
	enlist := func() error {
		_, err := interop.Enlist(context.Background(), nil, target, s.partner.server, alice, interop.NewKeys())
		return err
	}
	if err := enlist(); err != nil {
		t.Error(err)
	}
	s.gatekeeper.fault(t, "http", `{"route": "enlist", "mode": "error"}`)
	if err := enlist(); err == nil {
		t.Error("a gatekeeper that is out of order enlisted")
	}
	var refused *interop.EnlistError
	forged := tokens("e30.e30.e30")
	if _, err := interop.Enlist(context.Background(), nil, target, forged, alice, interop.NewKeys()); !errors.As(err, &refused) {
		t.Errorf("a forged token: %v", err)
	}
	for _, form := range []string{"", "authkey=x", strings.Repeat("x", 20<<10), url.Values{"token": {"\x00"}}.Encode()} {
		s.gatekeeper.ask(t, http.StatusOK, "POST", "/3p/interop_reg", strings.NewReader(form), "Content-Type", formType)
	}
}

// tokens is one and the same token for everybody.
type tokens string

func (t tokens) Token(context.Context, string, string) (string, error) { return string(t), nil }

func (s *sides) testChat(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 16))
	response := s.gatekeeper.ask(t, http.StatusSwitchingProtocols, "GET", "/ws/chat", nil,
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", key,
		"Sec-WebSocket-Extensions", "permessage-deflate")
	if extensions := response.Header.Get("Sec-WebSocket-Extensions"); extensions != "" {
		t.Errorf("the chat channel has %q", extensions)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	s.gatekeeper.ask(t, http.StatusUpgradeRequired, "GET", "/ws/chat", nil)
}

func (s *sides) testGatekeeperFiles(t *testing.T) {
	const content = "ciphertext"
	hash := sha256.Sum256([]byte(content))
	token := base64.URLEncoding.EncodeToString(hash[:])
	path := func(kind, auth, token string) string {
		return "/mms/" + kind + "/" + token + "?" + url.Values{"auth": {auth}, "token": {token}}.Encode()
	}
	upload := func(want int, path, content string) *http.Response {
		return s.gatekeeper.ask(t, want, "POST", path, strings.NewReader(content), "Content-Type", "application/octet-stream")
	}
	var stored struct {
		DirectPath string `json:"direct_path"`
	}
	response := upload(http.StatusOK, path("image", "sandbox", token), content)
	if err := json.NewDecoder(response.Body).Decode(&stored); err != nil {
		t.Fatal(err)
	}
	upload(http.StatusBadRequest, path("image", "sandbox", token), "another")
	upload(http.StatusUnauthorized, path("image", "", token), content)
	upload(http.StatusNotFound, path("song", "sandbox", token), content)
	s.uploadTooMuch(t, path("image", "sandbox", token))

	s.gatekeeper.ask(t, http.StatusOK, "GET", stored.DirectPath, nil)
	s.gatekeeper.ask(t, http.StatusPartialContent, "GET", stored.DirectPath, nil, "Range", "bytes=-3")
	s.gatekeeper.ask(t, http.StatusRequestedRangeNotSatisfiable, "GET", stored.DirectPath, nil, "Range", "bytes=100-")
	s.gatekeeper.ask(t, http.StatusNotFound, "GET", "/v/t62.7118-24/unknown.enc", nil)
	s.gatekeeper.fault(t, "media", `{"mode": "error"}`)
	s.gatekeeper.ask(t, http.StatusServiceUnavailable, "GET", stored.DirectPath, nil)
}

// uploadTooMuch offers more than the gatekeeper takes, and sends nothing of it: it says no before.
func (s *sides) uploadTooMuch(t *testing.T, path string) {
	t.Helper()
	request, err := http.NewRequest("POST", s.gatekeeper.URL+path, io.NopCloser(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = 256<<20 + 1
	request.Header.Set("Content-Type", "application/octet-stream")
	request.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

func (s *sides) testPictures(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	s.gatekeeper.control(t, "POST", "/accounts", []byte(`{"phone": "+4915112345678", "name": "Bob"}`), &struct{}{})
	var stored struct{ ID string }
	s.gatekeeper.control(t, "PUT", "/accounts/+4915112345678/picture", picture.Bytes(), &stored)
	s.gatekeeper.ask(t, http.StatusOK, "GET", "/pictures/"+stored.ID, nil)
	s.gatekeeper.ask(t, http.StatusNotFound, "GET", "/pictures/unknown", nil)
}

package doctor_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fakeHomeserver answers an appservice as Synapse does. Its fields may be changed before it is asked.
type fakeHomeserver struct {
	server *httptest.Server
	// domain is its name, version what it says of itself as software and version.
	domain, software, version string
	// What it loaded from the registrations: url and tokens, "" if it loaded none.
	url, asToken, hsToken, id, puppetToken string
	// users are the namespaces of the registration, registered who there is.
	users       *regexp.Regexp
	registered  map[string]bool
	upload      int64
	withoutPing bool
	// bugs replaces answers, by path.
	bugs map[string]http.HandlerFunc
}

func newFakeHomeserver(t *testing.T) *fakeHomeserver {
	h := &fakeHomeserver{
		domain: "example.org", software: "Synapse", version: "1.150.0", upload: 200 << 20,
		users: regexp.MustCompile(`^@postern(_.*)?:example\.org$`), registered: map[string]bool{"@postern:example.org": true},
		bugs: map[string]http.HandlerFunc{},
	}
	h.server = httptest.NewServer(h)
	t.Cleanup(h.server.Close)
	return h
}

func (h *fakeHomeserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if bug := h.bugs[r.URL.Path]; bug != nil {
		bug(w, r)
		return
	}
	switch path := r.URL.Path; {
	case path == "/_matrix/client/versions":
		_, _ = w.Write([]byte(`{"versions": ["v1.1", "v1.11"]}`))
	case path == "/_matrix/federation/v1/version" && h.software != "":
		fmt.Fprintf(w, `{"server": {"name": %q, "version": %q}}`, h.software, h.version)
	case path == "/_matrix/client/v3/account/whoami":
		h.whoami(w, r)
	case path == "/_matrix/client/v3/register/available":
		if h.users.MatchString("@" + r.URL.Query().Get("username") + ":" + h.domain) {
			refuse(w, http.StatusBadRequest, "M_EXCLUSIVE", "")
			return
		}
		_, _ = w.Write([]byte(`{"available": true}`))
	case path == "/_matrix/client/v1/media/config" && h.upload > 0:
		fmt.Fprintf(w, `{"m.upload.size": %d}`, h.upload)
	case strings.HasPrefix(path, "/_matrix/client/v1/appservice/") && !h.withoutPing:
		if path != "/_matrix/client/v1/appservice/"+h.id+"/ping" {
			refuse(w, http.StatusForbidden, "M_FORBIDDEN", "Mismatching application service ID in path")
			return
		}
		h.ping(w)
	case strings.HasPrefix(path, "/_matrix/client/v3/profile/") && h.withoutPing: // as Dendrite does
		request, _ := http.NewRequest(http.MethodGet, h.url+"/_matrix/app/v1/users/"+strings.TrimPrefix(path, "/_matrix/client/v3/profile/"), nil)
		request.Header.Set("Authorization", "Bearer "+h.hsToken)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			refuse(w, http.StatusInternalServerError, "M_UNKNOWN", "")
			return
		}
		_ = response.Body.Close()
		refuse(w, http.StatusNotFound, "M_NOT_FOUND", "")
	default:
		refuse(w, http.StatusNotFound, "M_UNRECOGNIZED", "")
	}
}

func (h *fakeHomeserver) whoami(w http.ResponseWriter, r *http.Request) {
	user, namespace := r.URL.Query().Get("user_id"), h.users
	switch r.Header.Get("Authorization") {
	case "Bearer " + h.asToken:
	case "Bearer " + h.puppetToken:
		namespace = regexp.MustCompile(`:` + regexp.QuoteMeta(h.domain) + `$`)
	default:
		refuse(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
		return
	}
	switch {
	case user == "":
		user = "@sender:" + h.domain
	case !namespace.MatchString(user):
		refuse(w, http.StatusForbidden, "M_FORBIDDEN", "Application service cannot masquerade as this user ("+user+").")
		return
	case !h.registered[user]:
		refuse(w, http.StatusForbidden, "M_FORBIDDEN", "Application service has not registered this user ("+user+")")
		return
	}
	fmt.Fprintf(w, `{"user_id": %q}`, user)
}

// ping calls the bridge, and tells what it met with the codes of the specification.
func (h *fakeHomeserver) ping(w http.ResponseWriter) {
	if h.url == "" {
		refuse(w, http.StatusBadRequest, "M_URL_NOT_SET", "")
		return
	}
	request, _ := http.NewRequest(http.MethodPost, h.url+"/_matrix/app/v1/ping", bytes.NewReader([]byte(`{"transaction_id": "doctor"}`)))
	request.Header.Set("Authorization", "Bearer "+h.hsToken)
	client := http.Client{Timeout: time.Second}
	response, err := client.Do(request)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusGatewayTimeout, "M_CONNECTION_TIMEOUT", "")
		return
	case err != nil:
		refuse(w, http.StatusBadGateway, "M_CONNECTION_FAILED", "")
		return
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprintf(w, `{"errcode": "M_BAD_STATUS", "status": %d}`, response.StatusCode)
		return
	}
	_, _ = w.Write([]byte(`{"duration_ms": 3}`))
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errcode": code, "error": message})
}

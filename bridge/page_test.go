package bridge_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge"
	"postern/bridge/adminpage"
	"postern/bridge/config"
	"postern/bridge/troubles"
	"postern/database"
	"postern/interop/clocktest"
)

func withPage(cfg *config.Config) { cfg.Admin.Listen = "127.0.0.1:29350" }

// browse sends a request to the page, with the cookies of an answer before.
func browse(page http.Handler, method, path string, form url.Values, before *http.Response) *http.Response {
	request := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if before != nil {
		for _, cookie := range before.Cookies() {
			request.AddCookie(cookie)
		}
	}
	recorder := httptest.NewRecorder()
	page.ServeHTTP(recorder, request)
	return recorder.Result()
}

func logIn(t *testing.T, page http.Handler, link string) *http.Response {
	t.Helper()
	address, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return browse(page, http.MethodPost, "/login", url.Values{"link": {address.Query().Get("link")}}, nil)
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestALinkOfTheCommandLineLogsInOnceAndNotForLong(t *testing.T) {
	i := install(t, withPage)
	clock := clocktest.New()
	i.close()
	var err error
	if i.daemon, err = bridge.NewWithClock(context.Background(), i.cfg, zerolog.Nop(), clock); err != nil {
		t.Fatal(err)
	}
	newLink := func() string {
		t.Helper()
		link, err := bridge.NewAdminPageLink(context.Background(), i.cfg)
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	first, second := newLink(), newLink()
	page := i.daemon.AdminPage()
	for _, try := range []struct {
		what, link string
		want       int
	}{
		{"one that a newer one replaced", first, http.StatusForbidden},
		{"the newest", second, http.StatusSeeOther},
		{"the newest again", second, http.StatusForbidden},
	} {
		if got := logIn(t, page, try.link); got.StatusCode != try.want {
			t.Errorf("%s: status %d", try.what, got.StatusCode)
		}
	}
	late := newLink()
	clock.Advance(adminpage.LinkLife + time.Second)
	if got := logIn(t, page, late); got.StatusCode != http.StatusForbidden {
		t.Errorf("one that is too old: status %d", got.StatusCode)
	}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func TestAnAdminsPageDoesWhatTheCommandsDo(t *testing.T) {
	i := install(t, withPage)
	ctx := context.Background()
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	recent := troubles.NewRecent(time.Now)
	log := zerolog.New(recent)
	i.daemon.Recent = recent
	log.Error().Err(errors.New("failed to ask: chat server certificate not signed by the configured root key")).Msg("Something failed")
	page := i.daemon.AdminPage()
	session := logIn(t, page, i.daemon.PageLink("@root:"+i.cfg.Homeserver.Domain))
	get := func(path string) string {
		t.Helper()
		return bodyOf(t, browse(page, http.MethodGet, path, nil, session))
	}
	if body := get("/users?search=enlisted"); !strings.Contains(body, string(alice)) {
		t.Error(body)
	}
	if body := get("/errors"); !strings.Contains(body, "Something failed") || !strings.Contains(body, "What helps") || !strings.Contains(body, "root_key") {
		t.Error(body)
	}
	if body := get("/"); !strings.Contains(body, "Some Messenger") || !strings.Contains(body, "SQLite") || !strings.Contains(body, "is starting") {
		t.Error(body)
	}
	csrf := csrfField.FindStringSubmatch(get("/users"))[1]
	post := func(path string, pairs ...string) string {
		t.Helper()
		form := url.Values{"csrf": {csrf}, "user": {string(alice)}}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		answer := browse(page, http.MethodPost, path, form, session)
		return answer.Header.Get("Location") + bodyOf(t, answer)
	}
	for _, step := range []struct {
		path  string
		pairs []string
		want  string
	}{
		{"/user/suspend", nil, "The reason is missing"},
		{"/user/suspend", []string{"user", "@eve:elsewhere.org", "reason", "x"}, "not a user of this server"},
		{"/user/suspend", []string{"reason", "it was\nspam"}, "done=suspended"},
		{"/user/suspend", []string{"reason", "again"}, "is suspended already"},
		{"/user/unsuspend", nil, "done=unsuspended"},
		{"/user/unsuspend", nil, "is not suspended"},
		{"/user/erase", []string{"user", "@nobody:" + i.cfg.Homeserver.Domain, "confirm", "@nobody:" + i.cfg.Homeserver.Domain}, "nothing to erase"},
		{"/user/erase", []string{"confirm", string(alice)}, "done=erased"},
	} {
		if got := post(step.path, step.pairs...); !strings.Contains(got, step.want) {
			t.Errorf("%s %q: %s", step.path, step.pairs, got)
		}
	}
	if i.state() != database.Leaving {
		t.Errorf("the user is %s", i.state())
	}
	var noted []string
	err := bridge.ReadAudit(ctx, i.cfg, time.Time{}, func(entry bridge.AuditEntry) error {
		noted = append(noted, entry.Kind+" by "+entry.Actor)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"admin-page-login", "list-users", "suspend", "unsuspend", "leave"} {
		if want := kind + " by @root:" + i.cfg.Homeserver.Domain; !strings.Contains(strings.Join(noted, "\n"), want) {
			t.Errorf("the audit log lacks %q: %q", want, noted)
		}
	}
	if body := get("/audit"); !strings.Contains(body, "unsuspend") {
		t.Error(body)
	}
}

func TestWithoutAListenerThereIsNoPage(t *testing.T) {
	i := install(t, func(cfg *config.Config) { cfg.Admin.Listen = "" })
	if i.daemon.AdminPage() != nil {
		t.Error("there is a page")
	}
	if _, err := bridge.NewAdminPageLink(context.Background(), i.cfg); !errors.Is(err, bridge.ErrNoAdminPage) {
		t.Errorf("got %v", err)
	}
}

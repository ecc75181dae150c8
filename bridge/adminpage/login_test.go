package adminpage_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/bridge/adminpage"
)

func TestALinkLogsInOnce(t *testing.T) {
	s := newSite(t)
	link := s.page.NewLink(root)
	v := s.visitor()
	// Looking at it, as programs do that show what is behind a link, uses nothing up.
	for range 3 {
		if got := v.get(strings.TrimPrefix(link, s.url)); got.status != http.StatusOK || !strings.Contains(got.body, "<form method=\"post\" action=\"/login\"") {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	got := v.useLink(link)
	cookie := got.header.Get("Set-Cookie")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		t.Fatalf("status %d, to %q", got.status, got.header.Get("Location"))
	}
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie is %q", cookie)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Errorf("the cookie of a page without TLS is %q", cookie)
	}
	if got = v.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, root) {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	other := s.visitor()
	if got = other.useLink(link); got.status != http.StatusForbidden || other.get("/").status == http.StatusOK {
		t.Errorf("used twice, status %d", got.status)
	}
	if did := s.bridge.notes(); strings.Count(did, "login "+root) != 1 {
		t.Errorf("noted was %q", did)
	}
	if strings.Contains(s.log.String(), "link=") || strings.Contains(s.log.String(), link[strings.Index(link, "=")+1:]) {
		t.Error("the log has the link")
	}
}

func TestALinkEnds(t *testing.T) {
	s := newSite(t)
	late, replaced := s.page.NewLink(root), s.page.NewLink("@other:example.org")
	fresh := s.page.NewLink("@other:example.org")
	if got := s.visitor().useLink(replaced); got.status != http.StatusForbidden {
		t.Errorf("a link that a newer one replaced: status %d", got.status)
	}
	s.now = s.now.Add(adminpage.LinkLife - time.Second)
	if got := s.visitor().useLink(fresh); got.status != http.StatusSeeOther {
		t.Errorf("status %d", got.status)
	}
	s.now = s.now.Add(time.Second)
	if got := s.visitor().useLink(late); got.status != http.StatusForbidden {
		t.Errorf("a link that is too old: status %d", got.status)
	}
}

func TestASessionEnds(t *testing.T) {
	s := newSite(t)
	v, other := s.loggedIn(), s.loggedIn()
	if got := v.post("/logout", url.Values{"csrf": {v.csrf()}}); got.status != http.StatusSeeOther {
		t.Errorf("status %d", got.status)
	}
	if got := v.get("/"); got.status != http.StatusSeeOther || got.header.Get("Location") != "/login" {
		t.Errorf("after the logout: status %d", got.status)
	}
	s.now = s.now.Add(12*time.Hour - time.Second)
	if got := other.get("/"); got.status != http.StatusOK {
		t.Errorf("another session ended, too: status %d", got.status)
	}
	s.now = s.now.Add(time.Second)
	if got := other.get("/"); got.status != http.StatusSeeOther {
		t.Errorf("after twelve hours: status %d", got.status)
	}
}

// TestABrowserHasOneSession: who logs in again, perhaps as somebody else, leaves none behind that still works.
func TestABrowserHasOneSession(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	before := v.useLink(s.page.NewLink(root)).header.Get("Set-Cookie")
	if got := v.useLink(s.page.NewLink("@other:example.org")); got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	if got := v.get("/"); !strings.Contains(got.body, "@other:example.org") || strings.Contains(got.body, root) {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	request, err := http.NewRequest(http.MethodGet, s.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Cookie", strings.Split(before, ";")[0])
	if got := s.visitor().do(request); got.status != http.StatusSeeOther || got.header.Get("Location") != "/login" {
		t.Errorf("the session before goes on: status %d", got.status)
	}
}

// TestEachAdminActsInTheirOwnName: a link is one admin's, and what is done with it is noted as theirs.
func TestEachAdminActsInTheirOwnName(t *testing.T) {
	s := newSite(t)
	for _, admin := range []string{root, "@other:example.org"} {
		v := s.visitor()
		v.useLink(s.page.NewLink(admin))
		v.post("/user/suspend", url.Values{"csrf": {v.csrf()}, "user": {"@alice:example.org"}, "reason": {"by " + admin}})
		if want := fmt.Sprintf("suspend %s @alice:example.org %q", admin, "by "+admin); !strings.Contains(s.bridge.notes(), want) {
			t.Errorf("%q is missing in %s", want, s.bridge.notes())
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	s := newSite(t)
	first := s.loggedIn()
	for range 64 {
		s.loggedIn()
	}
	if got := first.get("/"); got.status != http.StatusSeeOther {
		t.Errorf("the oldest of 65 sessions goes on: status %d", got.status)
	}
}

func TestALinkOfTheCommandLineWorksOnce(t *testing.T) {
	s := newSite(t)
	token, hash := adminpage.NewToken()
	s.bridge.redeem = hash
	v := s.visitor()
	if got := v.useLink(adminpage.LinkTo(s.url, token)); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	if got := v.get("/"); !strings.Contains(got.body, "command line") {
		t.Error(got.body)
	}
	if got := s.visitor().useLink(adminpage.LinkTo(s.url, token)); got.status != http.StatusForbidden {
		t.Errorf("used twice: status %d", got.status)
	}
}

func TestWrongLinksAreLimited(t *testing.T) {
	s := newSite(t)
	right := s.page.NewLink(root)
	v := s.visitor()
	try := func() int {
		token, _ := adminpage.NewToken()
		return v.useLink(adminpage.LinkTo(s.url, token)).status
	}
	for range 10 {
		if got := try(); got != http.StatusForbidden {
			t.Fatalf("status %d", got)
		}
	}
	if got := try(); got != http.StatusTooManyRequests {
		t.Errorf("the eleventh in a row: status %d", got)
	}
	if looked := strings.Count(s.bridge.notes(), "looked for a link"); looked != 10 {
		t.Errorf("the bridge was asked %d times", looked)
	}
	// Who fills the limit keeps no admin out.
	if got := s.visitor().useLink(right); got.status != http.StatusSeeOther {
		t.Errorf("a right link meanwhile: status %d", got.status)
	}
	s.now = s.now.Add(6 * time.Second)
	if got := try(); got != http.StatusForbidden {
		t.Errorf("six seconds later: status %d", got)
	}
}

func TestWhatIsNoLinkGoesNoFurther(t *testing.T) {
	s := newSite(t)
	for _, link := range []string{"", "abc", strings.Repeat("A", 44), "<script>", strings.Repeat("x", 20_000)} {
		if got := s.visitor().post("/login", url.Values{"link": {link}}); got.status != http.StatusBadRequest {
			t.Errorf("%.20q: status %d", link, got.status)
		}
		if got := s.visitor().get("/login?link=" + url.QueryEscape(link[:min(len(link), 2000)])); got.status != http.StatusOK || strings.Contains(got.body, `name="link"`) {
			t.Errorf("%.20q: status %d: %s", link, got.status, got.body)
		}
	}
	if did := s.bridge.notes(); did != "" {
		t.Errorf("the bridge was asked: %s", did)
	}
}

func TestACookieOfAPageWithTLSIsSecure(t *testing.T) {
	s := newSite(t)
	page := adminpage.New(adminpage.Options{URL: "https://admin.example.org", Bridge: s.bridge, Now: func() time.Time { return s.now }})
	link, err := url.Parse(page.NewLink(root))
	if err != nil || link.Scheme != "https" || link.Host != "admin.example.org" || link.Path != "/login" {
		t.Fatalf("got %v, %v", link, err)
	}
	got := serve(page, "/login", url.Values{"link": {link.Query().Get("link")}})
	if cookie := got.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, "Secure") {
		t.Errorf("the cookie is %q", cookie)
	}
}

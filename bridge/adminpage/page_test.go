package adminpage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"postern/bridge/adminpage"
)

func serve(handler http.Handler, path string, form url.Values) http.Header {
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Header()
}

var (
	shown   = []string{"/", "/users", "/user?id=@alice:example.org", "/errors", "/doctor", "/audit"}
	changed = []string{"/users/export", "/user/suspend", "/user/unsuspend", "/user/erase", "/doctor/examine", "/logout"}
)

func TestNothingIsSeenOrDoneWithoutALogin(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	for _, path := range shown {
		if got := v.get(path); got.status != http.StatusSeeOther || got.header.Get("Location") != "/login" {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
	for _, path := range changed {
		if got := v.post(path, url.Values{"user": {"@alice:example.org"}, "reason": {"x"}, "confirm": {"@alice:example.org"}}); got.status != http.StatusForbidden {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
	if did := s.bridge.notes(); did != "" {
		t.Errorf("done was %s", did)
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	s := newSite(t)
	v := s.loggedIn()
	form := url.Values{"csrf": {v.csrf()}, "user": {"@alice:example.org"}, "reason": {"x"}, "confirm": {"@alice:example.org"}}
	for name, headers := range map[string][]string{
		"another site":       {"Sec-Fetch-Site", "cross-site"},
		"a sister site":      {"Sec-Fetch-Site", "same-site"},
		"an old browser":     {"Origin", "https://evil.example"},
		"a page without one": {"Origin", "null"},
	} {
		for _, path := range append(changed, "/login") {
			if got := v.post(path, form, headers...); got.status != http.StatusForbidden {
				t.Errorf("%s, %s: status %d", path, name, got.status)
			}
		}
	}
	for _, token := range []string{"", "x", s.loggedIn().csrf()} {
		form.Set("csrf", token)
		for _, path := range changed {
			if got := v.post(path, form); got.status != http.StatusForbidden {
				t.Errorf("%s with the token %q: status %d", path, token, got.status)
			}
		}
	}
	if did := s.bridge.notes(); strings.Contains(did, "suspend") || strings.Contains(did, "erase") || strings.Contains(did, "examine") || strings.Contains(did, "export") {
		t.Errorf("done was %s", did)
	}
}

func TestAnAddressThatLeadsToNothingLeadsBack(t *testing.T) {
	s := newSite(t)
	if got := s.loggedIn().get("/nowhere"); got.status != http.StatusNotFound || !strings.Contains(got.body, "no such page") || !strings.Contains(got.body, `<a href="/">`) {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if got := s.visitor().get("/nowhere"); got.status != http.StatusSeeOther {
		t.Errorf("without a login: status %d", got.status)
	}
}

func TestAPageMayDoLittle(t *testing.T) {
	s := newSite(t)
	v := s.loggedIn()
	for _, path := range append(shown, "/login", "/static/admin.css", "/nowhere") {
		header := v.get(path).header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := header.Get(name); !strings.HasPrefix(got, want) || strings.Contains(got, "unsafe") {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
}

func TestAnAdminSuspendsResumesAndErases(t *testing.T) {
	s := newSite(t)
	v := s.loggedIn()
	csrf := v.csrf()
	post := func(path string, pairs ...string) answer {
		form := url.Values{"csrf": {csrf}, "user": {"@alice:example.org"}}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return v.post(path, form)
	}
	if got := post("/user/suspend"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "The reason is missing") {
		t.Errorf("without a reason: status %d: %s", got.status, got.body)
	}
	got := post("/user/suspend", "reason", "too loud")
	if got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	if got = v.get(got.header.Get("Location")); !strings.Contains(got.body, "is told why") || !strings.Contains(got.body, "@alice:example.org") {
		t.Errorf("got %s", got.body)
	}
	if got = post("/user/unsuspend"); got.status != http.StatusSeeOther {
		t.Errorf("status %d", got.status)
	}
	if got = post("/user/erase", "confirm", "@bob:example.org"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "Nothing is erased") {
		t.Errorf("a wrong confirmation: status %d: %s", got.status, got.body)
	}
	if strings.Contains(s.bridge.notes(), "erase") {
		t.Error("somebody was erased without a confirmation")
	}
	if got = post("/user/erase", "confirm", "@alice:example.org"); got.status != http.StatusSeeOther {
		t.Errorf("status %d", got.status)
	}
	if got = post("/users/export", "search", "alice"); got.header.Get("Content-Disposition") != `attachment; filename="postern-users-2026-11-26.csv"` || got.body != "user,gatekeeper\n" {
		t.Errorf("got %v: %s", got.header, got.body)
	}
	for _, want := range []string{
		`suspend @root:example.org @alice:example.org "too loud"`, "unsuspend @root:example.org @alice:example.org",
		"erase @root:example.org @alice:example.org", `export @root:example.org "alice"`,
	} {
		if !strings.Contains(s.bridge.notes(), want) {
			t.Errorf("%q is missing in %s", want, s.bridge.notes())
		}
	}
}

func TestWhatSomebodyWroteIsOnlyText(t *testing.T) {
	s := newSite(t)
	s.bridge.users = []adminpage.Enlistment{{User: hostile, Gatekeeper: "<b>wa</b>", State: "enlisted", Since: start}}
	s.bridge.troubles = []adminpage.Trouble{{
		Level: "error", Message: "<img src=x onerror=alert(1)>", Cause: `"><script>alert(2)</script>`, Count: 2, First: start, Last: start,
		Details: []adminpage.Fact{{Name: "room_id", Value: "</dl><script>alert(3)</script>"}}, Remedy: "<i>restart</i>",
	}}
	v := s.loggedIn()
	for _, path := range []string{"/users?search=" + url.QueryEscape(hostile), "/user?id=" + url.QueryEscape(hostile), "/errors", "/audit", "/user?id=" + url.QueryEscape("<script>")} {
		got := v.get(path)
		for _, forbidden := range []string{"<script>", "<img src=x", "<b>wa", "<i>restart"} {
			if strings.Contains(got.body, forbidden) {
				t.Errorf("%s has %s", path, forbidden)
			}
		}
	}
}

func TestWhatDoctorFoundIsShownWithTheWorstFirst(t *testing.T) {
	s := newSite(t)
	v := s.loggedIn()
	if got := v.post("/doctor/examine", url.Values{"csrf": {v.csrf()}}); got.status != http.StatusSeeOther || !strings.Contains(s.bridge.notes(), "examine") {
		t.Errorf("status %d", got.status)
	}
	body := v.get("/doctor").body
	fault, fine := strings.Index(body, "The disk is &lt;b&gt;full"), strings.Index(body, "The config is valid")
	if fault < 0 || fine < fault || !strings.Contains(body, "Delete something.") {
		t.Error(body)
	}
}

func TestListsHavePages(t *testing.T) {
	s := newSite(t)
	for i := range 120 {
		s.bridge.users = append(s.bridge.users, adminpage.Enlistment{User: fmt.Sprintf("@user%03d:example.org", i), State: "enlisted", Since: start})
	}
	v := s.loggedIn()
	first, last := v.get("/users?search=user").body, v.get("/users?search=user&from=100").body
	if !strings.Contains(first, "@user049:") || strings.Contains(first, "@user050:") || !strings.Contains(first, "from=50&amp;search=user") || strings.Contains(first, ">Before<") {
		t.Error(first)
	}
	if !strings.Contains(last, "@user119:") || strings.Contains(last, ">Next<") || !strings.Contains(last, "from=50&amp;search=user") {
		t.Error(last)
	}
	for _, from := range []string{"-1", "x", "99999999999999999999"} {
		if got := v.get("/users?from=" + from); got.status != http.StatusOK {
			t.Errorf("from %s: status %d", from, got.status)
		}
	}
}

func TestWhatFailsIsLogged(t *testing.T) {
	s := newSite(t)
	v := s.loggedIn()
	csrf := v.csrf()
	s.bridge.broken = true
	for _, path := range []string{"/users", "/audit"} {
		if got := v.get(path); got.status != http.StatusInternalServerError || strings.Contains(got.body, errBroken.Error()) {
			t.Errorf("%s: status %d: %s", path, got.status, got.body)
		}
	}
	if got := v.post("/user/unsuspend", url.Values{"csrf": {csrf}, "user": {"@alice:example.org"}}); got.status != http.StatusInternalServerError {
		t.Errorf("status %d", got.status)
	}
	token, _ := adminpage.NewToken()
	if got := s.visitor().useLink(adminpage.LinkTo(s.url, token)); got.status != http.StatusInternalServerError {
		t.Errorf("status %d", got.status)
	}
	if !strings.Contains(s.log.String(), errBroken.Error()) {
		t.Errorf("the log has %s", &s.log)
	}
}

func TestChartsAreTablesToo(t *testing.T) {
	s := newSite(t)
	body := s.loggedIn().get("/").body
	for _, want := range []string{
		`aria-label="Delay. half: 4 s last, 4 s at most; most: nothing yet."`, // for those who do not see it
		`<td class="number">3 s</td>`, `<td class="number">–</td>`, `datetime="2026-11-26T12:04:00Z"`,
		"The first value comes within half a minute", "does not answer: connection refused", "10 minutes",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in %s", want, body)
		}
	}
	// Where a value is missing the line has a gap.
	if lines := strings.Count(body, `class="line line-0"/></svg>`); lines != 3 { // of the legends
		t.Errorf("%d legends", lines)
	}
	if pieces := strings.Count(body, "<polyline"); pieces != 3 {
		t.Errorf("the lines have %d pieces instead of two and one", pieces)
	}
	if !strings.Contains(body, ">2.5 s</text>") || strings.Contains(body, ">0.5</text>") {
		t.Error("the scale has no half of a second, or half a user")
	}
}

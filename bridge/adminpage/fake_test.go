package adminpage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/adminpage"
)

const (
	root    = "@root:example.org"
	hostile = `@mallory"><script>alert(1)</script>:example.org`
)

var errBroken = errors.New("the database is away")

// fakeBridge notes who did what.
type fakeBridge struct {
	lock     sync.Mutex
	did      []string
	users    []adminpage.Enlistment
	troubles []adminpage.Trouble
	redeem   []byte // the hash of a link of the command line
	broken   bool
}

func (b *fakeBridge) note(format string, args ...any) error {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.did = append(b.did, fmt.Sprintf(format, args...))
	if b.broken {
		return errBroken
	}
	return nil
}

func (b *fakeBridge) notes() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return strings.Join(b.did, "\n")
}

func (b *fakeBridge) RedeemLink(_ context.Context, hash []byte) (string, error) {
	if err := b.note("looked for a link"); err != nil {
		return "", err
	}
	if b.redeem == nil || !bytes.Equal(hash, b.redeem) {
		return "", nil
	}
	b.redeem = nil
	return "command line", nil
}

func (b *fakeBridge) LoggedIn(_ context.Context, actor string) { _ = b.note("login %s", actor) }

func (b *fakeBridge) Overview(context.Context) adminpage.Overview {
	return adminpage.Overview{
		Problems: []adminpage.Fact{{Name: "homeserver", Value: "does not answer: connection refused"}},
		Facts:    []adminpage.Fact{{Name: "Postern", Value: "1.2.3"}}, Known: true,
		States: []adminpage.State{{Gatekeeper: "WhatsApp", State: "connected", Users: 7}},
		Queues: []adminpage.Queue{{Gatekeeper: "WhatsApp", Outbox: 4, Inbox: 3, Oldest: start.Add(-10 * time.Minute)}},
	}
}

func (b *fakeBridge) Charts(points int) []adminpage.Chart {
	chart := adminpage.Chart{ID: "delay", Title: "Delay", Unit: "s", Lines: []adminpage.Line{{Name: "half"}, {Name: "most"}}}
	for i := range min(points, 5) {
		value := float64(i)
		if i == 2 {
			value = math.NaN()
		}
		chart.Times = append(chart.Times, start.Add(time.Duration(i)*time.Minute))
		chart.Lines[0].Values = append(chart.Lines[0].Values, value)
		chart.Lines[1].Values = append(chart.Lines[1].Values, math.NaN())
	}
	count := adminpage.Chart{ID: "users", Title: "Users", Times: []time.Time{start}, Lines: []adminpage.Line{{Name: "users", Values: []float64{1}}}}
	return []adminpage.Chart{chart, count, {ID: "none", Title: "None", Lines: []adminpage.Line{{Name: "nothing"}}}}
}

func (b *fakeBridge) Users(_ context.Context, actor, search string, offset, limit int) ([]adminpage.Enlistment, error) {
	err := b.note("users %s %q %d %d", actor, search, offset, limit)
	return b.users[min(offset, len(b.users)):min(offset+limit, len(b.users))], err
}

func (b *fakeBridge) User(_ context.Context, _, user string) (*adminpage.User, error) {
	if !strings.HasSuffix(user, ":example.org") {
		return nil, adminpage.Refusal("That is not a user of this server.")
	}
	return &adminpage.User{ID: user, Enlistments: []adminpage.Enlistment{{User: user, Gatekeeper: "wa", State: "enlisted", Since: start}}}, nil
}

func (b *fakeBridge) ExportUsers(_ context.Context, actor, search string) ([]byte, error) {
	return []byte("user,gatekeeper\n"), b.note("export %s %q", actor, search)
}

func (b *fakeBridge) Suspend(_ context.Context, actor, user, reason string) error {
	if reason == "" {
		return adminpage.Refusal("The reason is missing, which the user will read.")
	}
	return b.note("suspend %s %s %q", actor, user, reason)
}

func (b *fakeBridge) Unsuspend(_ context.Context, actor, user string) error {
	return b.note("unsuspend %s %s", actor, user)
}

func (b *fakeBridge) Erase(_ context.Context, actor, user string) error {
	return b.note("erase %s %s", actor, user)
}

func (b *fakeBridge) Troubles() []adminpage.Trouble { return b.troubles }

func (b *fakeBridge) Examine() { _ = b.note("examine") }

func (b *fakeBridge) Examination() adminpage.Examination {
	return adminpage.Examination{At: start, Findings: []adminpage.Finding{
		{Check: "config", Status: "ok", Text: "The config is valid."},
		{Check: "disk.space", Status: "fault", Text: "The disk is <b>full</b>.", Remedy: "Delete something."},
	}}
}

func (b *fakeBridge) Audit(context.Context, int) ([]adminpage.AuditEntry, error) {
	return []adminpage.AuditEntry{{At: start, Kind: "suspend", Actor: root, User: hostile}}, b.note("audit")
}

var start = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// site is the page behind a real listener, with a clock that can be moved.
type site struct {
	t      *testing.T
	bridge *fakeBridge
	page   *adminpage.Page
	url    string
	now    time.Time
	log    bytes.Buffer
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, bridge: &fakeBridge{}, now: start}
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	s.page = adminpage.New(adminpage.Options{
		URL: s.url, Bridge: s.bridge, Log: zerolog.New(zerolog.SyncWriter(&s.log)), Now: func() time.Time { return s.now },
	})
	server.Config.Handler = s.page
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// visitor is a browser: it keeps cookies and follows no redirect by itself.
type visitor struct {
	*http.Client
	site *site
}

func (s *site) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &visitor{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, s}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (v *visitor) do(request *http.Request) answer {
	v.site.t.Helper()
	response, err := v.Do(request)
	if err != nil {
		v.site.t.Fatal(err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err = body.ReadFrom(response.Body); err != nil {
		v.site.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, body.String()}
}

func (v *visitor) get(path string) answer {
	v.site.t.Helper()
	request, err := http.NewRequest(http.MethodGet, v.site.url+path, nil)
	if err != nil {
		v.site.t.Fatal(err)
	}
	return v.do(request)
}

func (v *visitor) post(path string, form url.Values, headers ...string) answer {
	v.site.t.Helper()
	request, err := http.NewRequest(http.MethodPost, v.site.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.site.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return v.do(request)
}

// useLink presses the button behind a link.
func (v *visitor) useLink(link string) answer {
	v.site.t.Helper()
	address, err := url.Parse(link)
	if err != nil {
		v.site.t.Fatal(err)
	}
	return v.post("/login", url.Values{"link": {address.Query().Get("link")}})
}

// loggedIn is a visitor with a session.
func (s *site) loggedIn() *visitor {
	s.t.Helper()
	v := s.visitor()
	if got := v.useLink(s.page.NewLink(root)); got.status != http.StatusSeeOther {
		s.t.Fatalf("status %d: %s", got.status, got.body)
	}
	return v
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (v *visitor) csrf() string {
	v.site.t.Helper()
	found := csrfField.FindStringSubmatch(v.get("/audit").body)
	if found == nil {
		v.site.t.Fatal("there is no token in the forms")
	}
	return found[1]
}

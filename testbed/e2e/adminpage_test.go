package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"maunium.net/go/mautrix"

	"postern/testbed/browser"
	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// pictureVariable names a folder for screenshots of the admin page; without it they are taken and thrown away.
const pictureVariable = "POSTERN_PICTURES"

// pageAdmin is an admin in front of the admin page.
type pageAdmin struct {
	*browser.Tab
	url string
}

var linkShape = regexp.MustCompile(`http://\S+/login\?link=\S+`)

// opensAdminPage gets a link from the bot, in an encrypted chat, and presses its button.
func (u *bridgeUser) opensAdminPage(t *testing.T, ctx context.Context, s *stack.Stack, view browser.View) *pageAdmin {
	t.Helper()
	answer := must(u.Command(ctx, "admin-page", "logs you in"))(t)
	if !answer.Mautrix.WasEncrypted {
		t.Error("the link was not encrypted")
	}
	return presses(t, ctx, s, linkShape.FindString(answer.Content.AsMessage().Body), view)
}

func presses(t *testing.T, ctx context.Context, s *stack.Stack, link string, view browser.View) *pageAdmin {
	t.Helper()
	p := &pageAdmin{Tab: inBrowser(t, ctx, link, view), url: s.Bridge.AdminURL()}
	p.follows(t, ctx, ".primary")
	p.sees(t, ctx, "h1", "Overview")
	return p
}

func (p *pageAdmin) follows(t *testing.T, ctx context.Context, selector string) {
	t.Helper()
	if err := p.Follow(ctx, selector); err != nil {
		t.Fatal(err)
	}
}

func (p *pageAdmin) sees(t *testing.T, ctx context.Context, selector, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.WaitText(ctx, selector, words); err != nil {
		t.Fatal(err)
	}
}

func (p *pageAdmin) goes(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	if err := p.Go(ctx, p.url+path); err != nil {
		t.Fatal(err)
	}
}

// tabsTo presses the Tab key until the element has the focus, which has to be seen at every step.
func (p *pageAdmin) tabsTo(t *testing.T, ctx context.Context, selector string) {
	t.Helper()
	var steps []string
	for range 60 {
		if err := p.Press(ctx, "\t"); err != nil {
			t.Fatal(err)
		}
		at := must(browser.Evaluate[string](ctx, p.Tab, fmt.Sprintf(`(({activeElement: e}) => (e.matches(%q) ? "there" :
			(getComputedStyle(e).outlineStyle === "none" && e !== document.body ? "unseen " : "") + (e.id || e.textContent.trim().slice(0, 30) || e.tagName)))(document)`, selector)))(t)
		if steps = append(steps, at); at == "there" {
			return
		} else if strings.HasPrefix(at, "unseen ") {
			t.Errorf("it cannot be seen that the focus is on %s", at)
		}
	}
	t.Fatalf("the Tab key does not lead to %s, but over %q", selector, steps)
}

// keys presses keys one after the other.
func (p *pageAdmin) keys(t *testing.T, ctx context.Context, keys string) {
	t.Helper()
	if err := p.Press(ctx, keys); err != nil {
		t.Fatal(err)
	}
}

// TestAnAdminLooksAfterUsersWithTheKeyboardAlone on the page, from the bot's link to the end of a suspension.
func TestAnAdminLooksAfterUsersWithTheKeyboardAlone(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, _ := administered(t, ctx, s, func(map[string]any) {})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	chat := chatted(t, ctx, s, alice, bob)
	alice.command(t, ctx, "admin-page", "limited to bridge administrators")

	page := root.opensAdminPage(t, ctx, s, desktop)
	page.sees(t, ctx, "#health", "The bridge is ready")
	page.sees(t, ctx, "#states", "connected")
	page.sees(t, ctx, "#facts", map[homeserver.Kind]string{homeserver.Dendrite: "Dendrite", homeserver.Synapse: "Synapse"}[homeserver.KindFromEnvironment()])
	page.sees(t, ctx, "#chart-messages td.number", "0") // the first sample came, by the page's own script
	page.sees(t, ctx, "#chart-connected td.number", "1")

	page.tabsTo(t, ctx, `nav a[href="/users"]`)
	page.keys(t, ctx, kb.Enter)
	page.sees(t, ctx, "h1", "Users")
	page.tabsTo(t, ctx, "#search")
	page.keys(t, ctx, alice.ID().Localpart()+kb.Enter)
	if err := page.WaitFor(ctx, `location.search.startsWith("?search=") && document.readyState === "complete"`); err != nil {
		t.Fatal(err)
	}
	page.sees(t, ctx, "table", alice.ID().String())
	page.tabsTo(t, ctx, `th[scope=row] a`)
	page.keys(t, ctx, kb.Enter)
	page.sees(t, ctx, "h1", alice.ID().String())
	page.sees(t, ctx, "td", "connected")
	page.tabsTo(t, ctx, "#reason")
	page.keys(t, ctx, "too many strangers complained"+kb.Enter)
	page.sees(t, ctx, "[role=status]", "The user is suspended")
	alice.sees(t, ctx, "why", matrixuser.MessageIn(alice.Management, s.Bot(), "suspended you: too many strangers complained"))
	alice.sees(t, ctx, "the refusal", refusalOf(alice.writes(t, ctx, chat, unique("refused")), "suspended you"))
	page.tabsTo(t, ctx, `form[action="/user/unsuspend"] button`)
	page.keys(t, ctx, kb.Enter)
	page.sees(t, ctx, "[role=status]", "not suspended any more")
	alice.sees(t, ctx, "the end of it", matrixuser.MessageIn(alice.Management, s.Bot(), "Your suspension is over"))
	after := unique("after")
	alice.writes(t, ctx, chat, after)
	hears(t, ctx, bob, after)

	page.goes(t, ctx, "/audit")
	page.sees(t, ctx, "table", "unsuspend")
	log := postern(t, ctx, s, "audit")
	for _, entry := range []string{"admin-page-login by ", "suspend by ", "unsuspend by ", "list-users by "} {
		if !strings.Contains(log, entry+root.ID().String()) {
			t.Errorf("the audit log lacks %q: %s", entry, log)
		}
	}
	if logged := must(os.ReadFile(s.Bridge.LogFile()))(t); strings.Contains(string(logged), "login?link=") {
		t.Error("the log has a link")
	}
	page.erases(t, ctx, alice)
	// Nobody else reads a link: with an invited user who can read what comes, there is none.
	if _, err := root.Client.InviteUser(ctx, root.Management, &mautrix.ReqInviteUser{UserID: alice.ID()}); err != nil {
		t.Fatal(err)
	}
	root.command(t, ctx, "admin-page", "nobody but you and me")
}

// erases types the confirmation, and waits until the user has left.
func (p *pageAdmin) erases(t *testing.T, ctx context.Context, user *bridgeUser) {
	t.Helper()
	p.goes(t, ctx, "/user?id="+user.ID().String())
	p.tabsTo(t, ctx, "#confirm")
	p.keys(t, ctx, user.ID().String()+kb.Enter)
	p.sees(t, ctx, "[role=status]", "The user leaves all gatekeepers")
	user.sees(t, ctx, "the farewell", matrixuser.NoticeIn(user.Management, user.stack.Bot(), "You have left"))
}

// TestTheAdminPageCanBeUsedByEveryone: by day and by night, large and small, on every page, with and without a session, while something
// is wrong.
func TestTheAdminPageCanBeUsedByEveryone(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, _ := administered(t, ctx, s, func(map[string]any) {})
	alice := newEnlisted(t, ctx, s, "alice")
	root.opensAdminPage(t, ctx, s, desktop).examines(t, ctx)
	must(http.Post(s.Bridge.AdminURL()+"/login", "application/x-www-form-urlencoded", strings.NewReader("link="+strings.Repeat("A", 43))))(t).Body.Close()
	for name, view := range map[string]browser.View{
		"day": desktop, "night": {Width: 1100, Height: 760, Dark: true}, "small": {Width: 390, Height: 780, Dark: true, Still: true},
	} {
		page := root.opensAdminPage(t, ctx, s, view)
		for _, path := range []string{"/", "/users", "/users?search=nobody", "/user?id=" + alice.ID().String(), "/errors", "/doctor", "/audit", "/login?link=" + strings.Repeat("A", 43)} {
			page.goes(t, ctx, path)
			for _, problem := range must(browser.Evaluate[[]string](ctx, page.Tab, inaccessible))(t) {
				t.Errorf("%s, %q: %s", name, path, problem)
			}
			if wide := must(browser.Evaluate[bool](ctx, page.Tab, `document.documentElement.scrollWidth > innerWidth`))(t); wide {
				t.Errorf("%s, %q: the page is wider than the screen", name, path)
			}
			page.pictures(t, ctx, name+strings.ReplaceAll(strings.Split(path, "?")[0], "/", "-"))
		}
		page.goes(t, ctx, "/errors")
		page.sees(t, ctx, ".trouble", "Somebody used a link to the admin page that does not work")
		page.goes(t, ctx, "/")
		if err := page.Click(ctx, `form[action="/logout"] button`); err != nil {
			t.Fatal(err)
		}
		page.sees(t, ctx, "h1", "Log in")
		page.goes(t, ctx, "/users")
		page.sees(t, ctx, "h1", "Log in")
	}
}

// examines lets doctor look, and waits for what it finds.
func (p *pageAdmin) examines(t *testing.T, ctx context.Context) {
	t.Helper()
	p.goes(t, ctx, "/doctor")
	p.sees(t, ctx, "#findings", "Nothing was examined")
	p.tabsTo(t, ctx, `form[action="/doctor/examine"] button`)
	p.keys(t, ctx, kb.Enter)
	p.sees(t, ctx, "#findings", "homeserver.")
	p.sees(t, ctx, "#findings", "The config is valid")
	p.sees(t, ctx, "#news", "Examined at") // which screen readers say
}

// pictures takes a screenshot, for people to look at.
func (p *pageAdmin) pictures(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	picture := must(p.Screenshot(ctx))(t)
	if dir := os.Getenv(pictureVariable); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "admin-"+name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheAdminPageIsReachedWhileTheHomeserverIsAway with a link of the command line.
func TestTheAdminPageIsReachedWhileTheHomeserverIsAway(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	newEnlisted(t, ctx, s, "alice")
	if err := s.Homeserver.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	link := strings.TrimSpace(postern(t, ctx, s, "admin", "page"))
	page := presses(t, ctx, s, link, handheld)
	page.sees(t, ctx, "#health", "The bridge is not ready")
	page.sees(t, ctx, "#health", "homeserver does not answer")
	page.goes(t, ctx, "/users")
	page.sees(t, ctx, "table", "@alice")
	page.goes(t, ctx, "/")
	if err := s.Homeserver.Start(ctx); err != nil {
		t.Fatal(err)
	}
	page.sees(t, ctx, "#news", "The bridge is ready")
}

package e2e_test

import (
	"context"
	"fmt"
	"testing"

	"maunium.net/go/mautrix/id"

	"postern/testbed/browser"
)

// inaccessible is a script that returns what is wrong with a page for those who do not see it well, or not at all: things
// without a name, a missing landmark, and text whose contrast is below WCAG's 4.5 to 1.
const inaccessible = `(() => {
	const problems = [], complain = (what, e) => problems.push(what + ": " + e.outerHTML.slice(0, 120));
	for (const e of document.querySelectorAll("a, button, summary, input:not([type=hidden]), textarea, audio, video")) {
		const labels = [...(e.labels ?? [])].map((l) => l.textContent).join("");
		if (!(e.getAttribute("aria-label") || labels || e.textContent || e.querySelector("img[alt]")?.alt || "").trim()) complain("no name", e);
	}
	for (const e of document.querySelectorAll("img:not([alt])")) complain("no alternative", e);
	for (const one of ["main", "h1"]) {
		const found = [...document.querySelectorAll(one)].filter((e) => e.checkVisibility());
		if (found.length !== 1 && document.querySelector("main").checkVisibility()) problems.push(found.length + " visible elements " + one);
	}
	if (!document.documentElement.lang) problems.push("no language");

	const parse = (colour) => { const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number); return [r, g, b, a]; };
	const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
	const behind = (e) => {
		if (!e) return [255, 255, 255, 1];
		const own = parse(getComputedStyle(e).backgroundColor);
		return own[3] === 1 ? own : over(own, behind(e.parentElement));
	};
	const light = (c) => {
		const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const e = walker.currentNode.parentElement;
		if (!walker.currentNode.textContent.trim() || !e.checkVisibility({ visibilityProperty: true }) || e.closest(".hidden, .skip, audio, video")) continue;
		const under = behind(e), text = over(parse(getComputedStyle(e).color), under);
		const [a, b] = [light(text), light(under)].sort((x, y) => y - x), contrast = (a + 0.05) / (b + 0.05);
		if (contrast < 4.5) complain("contrast " + contrast.toFixed(2), e);
	}
	return problems;
})()`

// TestThePhonePageCanBeUsedByEveryone: by day and by night, on every page, with a keyboard alone.
func TestThePhonePageCanBeUsedByEveryone(t *testing.T) {
	ctx, s := shared(t)
	alice := newEnlisted(t, ctx, s, "alice")
	bob := newPagePhone(t, ctx, s, desktop)
	room := alice.startChat(t, ctx, bob.contact.Phone)
	hello := unique("hello")
	alice.writes(t, ctx, room, hello)
	bob.sees(t, ctx, "#list", "1 request")
	chat := "/chats/" + alice.Address.User
	for _, dark := range []bool{false, true} {
		view := desktop
		view.Dark = dark
		seen := &pagePhone{Tab: inBrowser(t, ctx, bob.url, view), url: bob.url}
		for _, path := range []string{"", "/third-party", "/settings", chat, chat + "/about", "/../.."} {
			seen.goes(t, ctx, path)
			for _, problem := range must(browser.Evaluate[[]string](ctx, seen.Tab, inaccessible))(t) {
				t.Errorf("dark: %v, %q: %s", dark, path, problem)
			}
		}
		if !dark {
			bob.accepts(t, ctx, hello)
			bob.writes(t, ctx, unique("answer"))
		}
	}
	must(browser.Evaluate[bool](ctx, bob.Tab, `document.documentElement.style.setProperty("--soft", "#999"), document.querySelector(".attach .hidden").remove(), true`))(t)
	if problems := must(browser.Evaluate[[]string](ctx, bob.Tab, inaccessible))(t); len(problems) < 2 {
		t.Errorf("a spoiled page has only the problems %q", problems)
	}
	bob.goes(t, ctx, chat)
	bob.usesKeys(t, ctx)
	bob.keepsFocus(t, ctx, alice, room)
}

// usesKeys walks from the top of the page to the message field with the Tab key, seeing at each step where it is.
func (p *pagePhone) usesKeys(t *testing.T, ctx context.Context) {
	t.Helper()
	must(browser.Evaluate[bool](ctx, p.Tab, `document.activeElement.blur(), scrollTo(0, 0), document.body.tabIndex = -1, document.body.focus(), true`))(t)
	var steps []string
	for range 30 {
		if err := p.Press(ctx, "\t"); err != nil {
			t.Fatal(err)
		}
		at := must(browser.Evaluate[string](ctx, p.Tab, `(({activeElement: e}) => (getComputedStyle(e.closest("label") ?? e).outlineStyle === "none" ? "unseen " : "") +
			(e.id || e.className || e.tagName))(document)`))(t)
		if steps = append(steps, at); at == "text" {
			break
		}
	}
	if steps[0] != "skip" || steps[len(steps)-1] != "text" {
		t.Errorf("the Tab key leads over %q", steps)
	}
	for _, step := range steps {
		if len(step) > 7 && step[:7] == "unseen " {
			t.Errorf("it cannot be seen that the focus is on %s", step[7:])
		}
	}
}

// keepsFocus: a message that comes is said to those who do not see it, and takes the focus from nothing.
func (p *pagePhone) keepsFocus(t *testing.T, ctx context.Context, alice *bridgeUser, room id.RoomID) {
	t.Helper()
	must(browser.Evaluate[bool](ctx, p.Tab, `document.querySelector(".message summary").focus(), document.querySelector("#text").value = "half a mess", true`))(t)
	news := unique("news")
	alice.writes(t, ctx, room, news)
	p.waitFor(t, ctx, fmt.Sprintf(`document.querySelector("#announcer").textContent.includes(%q)`, news))
	p.waitFor(t, ctx, `document.activeElement.matches(".message summary") && document.querySelector("#text").value === "half a mess"`)
}

package e2e_test

import (
	"strings"
	"testing"

	"postern/testbed/browser"
	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestTheAdminPageWorksWithoutJavaScript: all that it shows can be read, and all that it does can be done.
func TestTheAdminPageWorksWithoutJavaScript(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, _ := administered(t, ctx, s, func(map[string]any) {})
	alice := newEnlisted(t, ctx, s, "alice")
	view := desktop
	view.NoScript = true
	page := root.opensAdminPage(t, ctx, s, view)
	is := func(what, expression string) {
		t.Helper()
		if !must(browser.Evaluate[bool](ctx, page.Tab, expression))(t) {
			t.Errorf("%s: %s is not so", what, expression)
		}
	}
	writes := func(selector, text string) {
		t.Helper()
		if err := page.Type(ctx, selector, text); err != nil {
			t.Fatal(err)
		}
	}
	is("a browser without scripts shows what is for it", `document.querySelector("noscript p").checkVisibility()`)
	is("what needs a script is not shown", `!document.querySelector(".refresh").checkVisibility()`)
	page.sees(t, ctx, "noscript", "shows how things were when it was loaded")
	page.sees(t, ctx, "#health", "The bridge is ready")
	page.sees(t, ctx, "#states", "connected")

	page.follows(t, ctx, `nav a[href="/users"]`)
	writes("#search", alice.ID().Localpart())
	page.follows(t, ctx, "[role=search] button")
	page.follows(t, ctx, "th[scope=row] a")
	page.sees(t, ctx, "h1", alice.ID().String())
	writes("#reason", "too loud")
	page.follows(t, ctx, `form[action="/user/suspend"] button`)
	page.sees(t, ctx, "[role=status]", "The user is suspended")
	is("who comes back is where it says what was done", `document.activeElement.matches(".done")`)
	alice.sees(t, ctx, "why", matrixuser.MessageIn(alice.Management, s.Bot(), "suspended you: too loud"))
	page.follows(t, ctx, `form[action="/user/unsuspend"] button`)
	page.sees(t, ctx, "[role=status]", "not suspended any more")

	page.follows(t, ctx, `nav a[href="/doctor"]`)
	page.sees(t, ctx, "#findings", "Nothing was examined")
	page.follows(t, ctx, `form[action="/doctor/examine"] button`)
	for text := ""; !strings.Contains(text, "Examined at"); { // as the page says: load it again
		page.goes(t, ctx, "/doctor")
		text = must(browser.Evaluate[string](ctx, page.Tab, `document.querySelector("#findings").textContent`))(t)
	}
	if err := page.Click(ctx, "#good summary"); err != nil {
		t.Fatal(err)
	}
	is("what is well can be unfolded", `document.querySelector("#good .finding").checkVisibility()`)
	page.follows(t, ctx, `nav a[href="/errors"]`)
	page.sees(t, ctx, "h1", "Errors")
	page.follows(t, ctx, `nav a[href="/audit"]`)
	page.sees(t, ctx, "table", "unsuspend")

	page.goes(t, ctx, "/user?id="+alice.ID().String())
	writes("#confirm", "@somebody:else")
	page.follows(t, ctx, ".danger")
	page.sees(t, ctx, "[role=alert]", "Nothing is erased")
	is("who made a mistake is where it says which", `document.activeElement.matches(".problem")`)
	writes("#confirm", alice.ID().String())
	page.follows(t, ctx, ".danger")
	page.sees(t, ctx, "[role=status]", "The user leaves all gatekeepers")
	alice.sees(t, ctx, "the farewell", matrixuser.NoticeIn(alice.Management, s.Bot(), "You have left"))

	page.follows(t, ctx, `form[action="/logout"] button`)
	page.sees(t, ctx, "h1", "Log in")
	page.goes(t, ctx, "/users")
	page.sees(t, ctx, "h1", "Log in")
}

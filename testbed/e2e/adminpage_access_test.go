package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"postern/testbed/browser"
	"postern/testbed/stack"
)

// controls are the roles of what can be used.
var controls = []string{"button", "link", "textbox", "searchbox", "checkbox", "DisclosureTriangle"}

// mute returns what is wrong with a page for those who have it read to them, as the browser's accessibility tree shows it: controls and
// pictures without a name, headings out of order, missing landmarks, tables without headers.
func mute(heard []browser.Heard) (problems []string) {
	complain := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	level := 0
	count := make(map[string]int)
	for _, one := range heard {
		count[one.Role]++
		switch {
		case one.Name == "" && (slices.Contains(controls, one.Role) || one.Role == "image" || one.Role == "heading" || one.Role == "navigation"):
			complain("a %s without a name", one.Role)
		case one.Role == "heading" && one.Level > level+1:
			complain("the heading %q of level %d comes after one of level %d", one.Name, one.Level, level)
		case one.Role == "heading" && one.Level == 1 && level > 0:
			complain("%q is a second main heading", one.Name)
		}
		if one.Role == "heading" {
			level = one.Level
		}
	}
	for _, landmark := range []string{"main", "banner"} {
		if count[landmark] != 1 {
			complain("%d landmarks %s", count[landmark], landmark)
		}
	}
	if count["table"] > 0 && count["columnheader"] < 2*count["table"] {
		complain("%d tables with %d headers", count["table"], count["columnheader"])
	}
	return problems
}

// TestTheAdminPageCanBeHeard: what screen readers get from the browser says all that can be seen, and changes are told.
func TestTheAdminPageCanBeHeard(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, _ := administered(t, ctx, s, func(map[string]any) {})
	alice := newEnlisted(t, ctx, s, "alice")
	page := root.opensAdminPage(t, ctx, s, desktop)
	page.sees(t, ctx, "#chart-connected td.number", "1")
	hear := func() []browser.Heard { return must(page.Accessible(ctx))(t) }
	hears := func(when, role, words string) {
		t.Helper()
		var names []string
		for _, one := range hear() {
			if one.Role == role {
				names = append(names, one.Name)
			}
		}
		if !strings.Contains(strings.Join(names, "\n"), words) {
			t.Errorf("%s there is no %s with %q among %q", when, role, words, names)
		}
	}

	// A chart says what it shows, with figures, and is there as a table, too.
	hears("on the overview", "heading", "The bridge is ready")
	for _, title := range must(browser.Evaluate[[]string](ctx, page.Tab, `[...document.querySelectorAll("figure h3")].map((e) => e.textContent)`))(t) {
		words := ""
		for _, one := range hear() {
			if one.Role == "image" && strings.HasPrefix(one.Name, title+". ") {
				words = strings.TrimPrefix(one.Name, title)
			}
		}
		if !strings.ContainsAny(words, "0123456789") && !strings.Contains(words, "nothing yet") {
			t.Errorf("the chart %q says %q", title, words)
		}
		hears("on the overview", "DisclosureTriangle", "As a table of "+title)
	}
	hears("on the overview", "image", "Connected")

	page.examines(t, ctx)
	hears("after an examination", "StaticText", "Examined at")
	for _, path := range []string{"/", "/users", "/users?search=nobody", "/user?id=" + alice.ID().String(), "/errors", "/doctor", "/audit", "/login?link=" + strings.Repeat("A", 43)} {
		page.goes(t, ctx, path)
		heard := hear()
		for _, problem := range mute(heard) {
			t.Errorf("%q: %s", path, problem)
		}
		live := slices.ContainsFunc(heard, func(one browser.Heard) bool { return one.Role == "status" && one.Live == "polite" })
		if kept := must(browser.Evaluate[bool](ctx, page.Tab, `document.querySelector("[data-live]") !== null`))(t); kept && !live {
			t.Errorf("%q changes without a word", path)
		}
	}

	// What was done, and what was not, is told, and the next key goes on from there.
	page.goes(t, ctx, "/user?id="+alice.ID().String())
	if err := page.Type(ctx, "#confirm", "nobody"); err != nil {
		t.Fatal(err)
	}
	page.follows(t, ctx, ".danger")
	if !slices.ContainsFunc(hear(), func(one browser.Heard) bool { return one.Role == "alert" && one.Live == "assertive" }) {
		t.Errorf("a mistake is not told: %+v", hear())
	}
	if !must(browser.Evaluate[bool](ctx, page.Tab, `document.activeElement.matches("[role=alert]")`))(t) {
		t.Error("the focus is not where it says what was wrong")
	}

	must(browser.Evaluate[bool](ctx, page.Tab, `document.querySelector("h2").outerHTML = "<h4>x</h4><button></button>", true`))(t)
	if problems := mute(hear()); len(problems) < 2 {
		t.Errorf("a spoiled page has only the problems %q", problems)
	}
}

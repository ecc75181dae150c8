package markup_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"postern/portal/markup"
)

// allowed are the elements that ToHTML may write.
var allowed = map[string]bool{
	"strong": true, "em": true, "del": true, "code": true, "pre": true,
	"blockquote": true, "ul": true, "ol": true, "li": true, "br": true,
}

// checkHTML fails unless the HTML is balanced and made of nothing but allowed elements, and returns its text.
func checkHTML(t *testing.T, source string) string {
	t.Helper()
	var text strings.Builder
	var open []string
	tokens := html.NewTokenizer(strings.NewReader(source))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Fatalf("elements %q are not closed in %q", open, source)
			}
			return text.String()
		case html.TextToken:
			text.WriteString(string(tokens.Text()))
		case html.StartTagToken:
			name, more := tokens.TagName()
			tag := string(name)
			if !allowed[tag] {
				t.Fatalf("element %q in %q", tag, source)
			}
			for more {
				var key, value []byte
				key, value, more = tokens.TagAttr()
				if tag != "ol" || string(key) != "start" || strings.Trim(string(value), "0123456789") != "" {
					t.Fatalf("attribute %s=%q of %q in %q", key, value, tag, source)
				}
			}
			if tag == "br" {
				text.WriteByte('\n')
			} else {
				open = append(open, tag)
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %q in %q", name, open, source)
			}
			open = open[:len(open)-1]
		default:
			t.Fatalf("unexpected %q in %q", tokens.Raw(), source)
		}
	}
}

// document makes random HTML of the kind that ToHTML writes, from words that need no care.
type document struct {
	random *rand.Rand
	out    strings.Builder
}

func (d *document) word() {
	words := []string{"one", "zwei", "три", "你好", "é", "42", "a_b", "2*3", "https://x.org/_y_/z", "&amp;", "&lt;b&gt;", "👋"}
	d.out.WriteString(words[d.random.IntN(len(words))])
}

// inline writes words and, around some of them, styles that are not open yet.
func (d *document) inline(open string, depth int) {
	for i := range 1 + d.random.IntN(3) {
		if i > 0 {
			d.out.WriteByte(' ')
		}
		tags := []string{"strong", "em", "del", "code"}
		tag := tags[d.random.IntN(len(tags))]
		if depth == 0 || d.random.IntN(2) == 0 || strings.Contains(open, tag) || strings.Contains(open, "code") {
			d.word()
			continue
		}
		d.out.WriteString("<" + tag + ">")
		if tag == "code" {
			d.out.WriteString("f(*a, _b)")
		} else {
			d.inline(open+tag, depth-1)
		}
		d.out.WriteString("</" + tag + ">")
	}
}

func (d *document) list(depth int) {
	tag := []string{"ul", "ol"}[d.random.IntN(2)]
	d.out.WriteString("<" + tag + ">")
	for range 1 + d.random.IntN(3) {
		d.out.WriteString("<li>")
		d.inline("", 2)
		if d.random.IntN(3) == 0 {
			d.out.WriteString("<br>")
			d.inline("", 1)
		}
		if depth > 0 && d.random.IntN(3) == 0 {
			d.list(depth - 1)
		}
		d.out.WriteString("</li>")
	}
	d.out.WriteString("</" + tag + ">")
}

func (d *document) blocks(quotes int) {
	text := false // whether a line of text came last: two need a break between them
	list := false // two lists in a row would become one
	for range 1 + d.random.IntN(4) {
		switch kind := d.random.IntN(6); {
		case kind == 0 && !list:
			d.list(2)
			text, list = false, true
		case kind == 1 && quotes > 0 && !strings.HasSuffix(d.out.String(), "</blockquote>"):
			d.out.WriteString("<blockquote>")
			d.blocks(quotes - 1)
			d.out.WriteString("</blockquote>")
			text, list = false, false
		case kind == 2 && quotes == 2:
			d.out.WriteString("<pre><code>x := *p\n\n\t// _end_</code></pre>")
			text, list = false, false
		default:
			if text {
				d.out.WriteString("<br>")
			}
			d.inline("", 3)
			text, list = true, false
		}
	}
}

func TestFormattingSurvivesTheWayThereAndBack(t *testing.T) {
	for seed := range uint64(500) {
		d := document{random: rand.New(rand.NewPCG(seed, 2))}
		d.blocks(2)
		source := d.out.String()
		text := markup.FromHTML(source, markup.Plain)
		got := shownAs(text)
		if normal(got) != normal(source) {
			t.Fatalf("seed %d: %q\nbecame %q\nand back %q", seed, source, text, got)
		}
	}
}

// shownAs returns a text as HTML, also if nothing in it is formatted.
func shownAs(text string) string {
	if result, formatted := markup.ToHTML(text); formatted {
		return result
	}
	return strings.ReplaceAll(html.EscapeString(text), "\n", "<br>")
}

// normal takes out what may differ: the order of elements around the same text.
func normal(source string) string {
	var out strings.Builder
	var open []string
	tokens := html.NewTokenizer(strings.NewReader(source))
	for {
		kind := tokens.Next()
		name, _ := tokens.TagName()
		switch kind {
		case html.ErrorToken:
			return out.String()
		case html.StartTagToken:
			switch tag := string(name); tag {
			case "strong", "em", "del":
				open = append(open, tag)
			default:
				fmt.Fprintf(&out, "<%s>", tag)
			}
		case html.EndTagToken:
			switch tag := string(name); tag {
			case "strong", "em", "del":
				open = open[:len(open)-1]
			default:
				fmt.Fprintf(&out, "</%s>", tag)
			}
		case html.TextToken:
			set := map[string]bool{}
			for _, tag := range open {
				set[tag] = true
			}
			styles := strings.Join(slices.Sorted(maps.Keys(set)), "+")
			for _, r := range string(tokens.Text()) {
				fmt.Fprintf(&out, "%c{%s}", r, styles)
			}
		}
	}
}

func TestHostileInputTakesLinearTime(t *testing.T) {
	patterns := []string{
		"*a ", "*a_b~c ", "`a ", "```", "``` a", "`", "*_~", "a*b", "> ", "- ", "  - ", "1. ", "<b>", "<b><i>", "</b>", "<blockquote>",
		"<ul><li>", "<li>", "<pre>", "<a href=x>", "<p>", "<font a>", "https://", "www.", "<code>`", "<br>", "&", "&#", "<", "<!--", "\n", "\u202e",
		"<b>x</b><i>y</i>", "<b>x <i>y</b> z</i> ", "<td>", "<h1>", "<mx-reply>", "<script>",
	}
	for _, pattern := range patterns {
		text := strings.Repeat(pattern, markup.MaxHTML/2/len(pattern))
		started := time.Now()
		checkText(t, text, markup.FromHTML(text, markup.Italic))
		checkText(t, text, markup.FromText(text, markup.Plain))
		checkHTML(t, shownAs(text))
		// 32 KiB take some milliseconds each, and some more with the race detector; a quadratic step takes minutes with it.
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("%q repeated took %v", pattern, took)
		}
	}
}

// maxGrowth bounds a text for WhatsApp by its source: a line of one character and its <br> can have eight quote marks
// and eight indentations of eleven characters before it.
const maxGrowth = 128

func checkText(t *testing.T, source, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Fatalf("%.200q became broken UTF-8: %.200q", source, text)
	}
	if len(text) > maxGrowth*(len(source)+1) {
		t.Fatalf("%d bytes became %d: %.200q", len(source), len(text), source)
	}
	if strings.ContainsAny(text, "\x00\r\x1b\x7f") {
		t.Fatalf("control characters in %.200q", text)
	}
}

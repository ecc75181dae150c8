package markup

import (
	"html"
	"strings"
)

// tagOf returns the HTML element for a style.
func tagOf(style Style) string {
	switch style {
	case Bold:
		return "strong"
	case Italic:
		return "em"
	case Strike:
		return "del"
	default:
		return "code"
	}
}

// writeCells writes a line as HTML and tells whether anything in it is formatted. All text is escaped.
func writeCells(out *strings.Builder, cells []cell) (formatted bool) {
	var open openStyles
	var text strings.Builder
	flush := func() {
		out.WriteString(html.EscapeString(text.String()))
		text.Reset()
	}
	for i, c := range cells {
		want := c.style & visible
		if want != open.set {
			formatted = true
			flush()
			for open.mustClose(want) {
				out.WriteString("</" + tagOf(open.pop()) + ">")
			}
			for want&^open.set != 0 {
				open.push(nextToOpen(cells, i, want&^open.set))
				out.WriteString("<" + tagOf(open.stack[open.depth-1]) + ">")
			}
		}
		text.WriteRune(c.r)
	}
	flush()
	for open.depth > 0 {
		out.WriteString("</" + tagOf(open.pop()) + ">")
	}
	return formatted
}

package page

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// span is a piece of a text in one style.
type span struct {
	Text                       string
	Bold, Italic, Struck, Code bool
}

// maxSpans bounds how many pieces a text is cut into; the rest stays as it was written.
const maxSpans = 500

// maxTries is how many places are tried for the partner of one mark.
const maxTries = 20

// spans reads WhatsApp's marks: *bold*, _italic_, ~struck~, `code` and ```code```. A mark counts at the edges of words only, and
// only with its partner in the same line, ``` apart. All spans together are the text without the marks that count.
func spans(text string) []span {
	var found []span
	read(text, span{}, &found)
	return found
}

// plain is the text without the marks.
func plain(text string) string {
	var left strings.Builder
	for _, piece := range spans(text) {
		left.WriteString(piece.Text)
	}
	return left.String()
}

// read adds the spans of a text that is in the style already.
func read(text string, style span, found *[]span) {
	plain := 0
	add := func(text string) {
		if text != "" {
			piece := style
			piece.Text = text
			*found = append(*found, piece)
		}
	}
	for at := 0; at < len(text) && len(*found) < maxSpans; {
		inner, length, inside, ok := marked(text, at, style)
		if !ok {
			_, size := utf8.DecodeRuneInString(text[at:])
			at += size
			continue
		}
		add(text[plain:at])
		if inside.Code {
			inside.Text = inner
			*found = append(*found, inside)
		} else {
			read(inner, inside, found)
		}
		at += length
		plain = at
	}
	add(text[plain:])
}

// marked returns the text between the mark at a place and its partner, its style, and the length with the marks.
func marked(text string, at int, style span) (inner string, length int, inside span, ok bool) {
	mark := text[at : at+1]
	inside = style
	switch {
	case strings.HasPrefix(text[at:], "```"):
		mark, inside.Code = "```", true
	case mark == "`":
		inside.Code = true
	case mark == "*" && !style.Bold:
		inside.Bold = true
	case mark == "_" && !style.Italic:
		inside.Italic = true
	case mark == "~" && !style.Struck:
		inside.Struck = true
	default:
		return "", 0, style, false
	}
	if before, _ := utf8.DecodeLastRuneInString(text[:at]); at > 0 && isWord(before) {
		return "", 0, style, false
	}
	rest := text[at+len(mark):]
	if line := strings.IndexByte(rest, '\n'); line >= 0 && mark != "```" {
		rest = rest[:line]
	}
	for from, tries := 0, 0; tries < maxTries; tries++ {
		end := strings.Index(rest[from:], mark)
		if end < 0 {
			return "", 0, style, false
		}
		end += from
		after, _ := utf8.DecodeRuneInString(rest[end+len(mark):])
		inner = rest[:end]
		if inner != "" && inner == strings.TrimSpace(inner) && (end+len(mark) == len(rest) || !isWord(after)) || mark == "```" && inner != "" {
			return inner, end + 2*len(mark), inside, true
		}
		from = end + len(mark)
	}
	return "", 0, style, false
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

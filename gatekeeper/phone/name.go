package phone

import (
	"strings"
	"unicode"
)

// maxNameRunes is how long a name is shown, in characters.
const maxNameRunes = 48

// maxMarks is how many combining marks one letter may carry: the scripts that need most are content with it.
const maxMarks = 3

// TidyName makes a name of what somebody calls themselves: one line, bounded, without characters that cannot be seen or
// that change the direction or place of the text around them. It can still look like somebody else's name, so that the
// contact's ID has to stand beside it. What is left of a name can be "".
func TidyName(name string) string {
	var tidy strings.Builder
	runes, marks, space := 0, 0, false
	var before rune
	for _, r := range name {
		switch {
		case unicode.IsSpace(r):
			space = true
			continue
		case r == zeroWidthJoiner && joins(before):
			// a part of an emoji
		case !unicode.IsGraphic(r) || isBlank(r):
			continue
		case unicode.Is(unicode.M, r):
			if marks++; marks > maxMarks || runes == 0 {
				continue
			}
		default:
			marks = 0
			if runes++; runes > maxNameRunes {
				return strings.TrimRight(tidy.String(), string(zeroWidthJoiner)) + "…"
			}
		}
		if space && tidy.Len() > 0 {
			tidy.WriteByte(' ')
			runes++
		}
		space, before = false, r
		tidy.WriteRune(r)
	}
	return strings.TrimRight(tidy.String(), string(zeroWidthJoiner))
}

const zeroWidthJoiner = '\u200D'

// joins tells whether emoji are joined to this one: symbols, their variants and skin colours.
func joins(r rune) bool { return unicode.In(r, unicode.So, unicode.Sk) || r == '\uFE0F' }

// isBlank tells the letters and symbols that have nothing to see.
func isBlank(r rune) bool {
	switch r {
	case '\u115F', '\u1160', '\u17B4', '\u17B5', '\u2800', '\u3164', '\uFFA0', unicode.ReplacementChar:
		return true
	default:
		return false
	}
}

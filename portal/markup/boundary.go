package markup

import (
	"strings"
	"unicode"
)

// hairSpace keeps a literal marker from being taken for a real one; see the package documentation.
const hairSpace = '\u200a'

const fence = "```"

// styleOf returns the style that a marker character stands for, or Plain.
func styleOf(r rune) Style {
	switch r {
	case '*':
		return Bold
	case '_':
		return Italic
	case '~':
		return Strike
	case '`':
		return Code
	default:
		return Plain
	}
}

func markerOf(style Style) rune {
	switch style {
	case Bold:
		return '*'
	case Italic:
		return '_'
	case Strike:
		return '~'
	default:
		return '`'
	}
}

// isWord tells of the characters that keep a marker beside them from being one.
func isWord(r rune) bool {
	if r < 0x80 {
		return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.M)
}

func isSpace(r rune) bool { return unicode.IsSpace(r) }

// canOpen tells whether a marker between prev and next may begin a style. Two of the same in a row do not.
func canOpen(prev, next, marker rune) bool {
	return !isWord(prev) && next != edge && next != marker && !isSpace(next)
}

// canClose tells whether a marker between prev and next may end a style.
func canClose(prev, next rune) bool { return prev != edge && !isSpace(prev) && !isWord(next) }

// linkPrefixes begin what WhatsApp and Matrix clients turn into a link.
var linkPrefixes = [...]string{"https://", "http://", "www."}

// markLinks marks the characters of URLs. A URL ends at white space, a backtick, a quote or an angle bracket, and does
// not end in a marker or in punctuation. Code is left out.
func markLinks(cells []cell) {
	for i := 0; i < len(cells); i++ {
		if !startsLink(cells[i:]) || isWord(runeAt(cells, i-1)) {
			continue
		}
		end := i
		for end < len(cells) && cells[end].style&(Code|marker) == 0 && !endsLink(cells[end].r) {
			end++
		}
		next := end
		for end > i && strings.ContainsRune("*_~.,;:!?'()[]{}…", cells[end-1].r) {
			end--
		}
		for j := i; j < end; j++ {
			cells[j].style |= link
		}
		for j := end; j < next; j++ {
			cells[j].style |= linkTail
		}
		i = max(next-1, i)
	}
}

func startsLink(cells []cell) bool {
	if r := cells[0].r | 0x20; r != 'h' && r != 'w' {
		return false
	}
	for _, prefix := range linkPrefixes {
		if hasPrefix(cells, prefix) {
			return true
		}
	}
	return false
}

// hasPrefix compares without regard to case. prefix is lower case ASCII.
func hasPrefix(cells []cell, prefix string) bool {
	if len(cells) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if r := cells[i].r; cells[i].style&(Code|marker) != 0 || r >= 0x80 || unicode.ToLower(r) != rune(prefix[i]) {
			return false
		}
	}
	return true
}

func endsLink(r rune) bool { return isSpace(r) || r == '`' || r == '"' || r == '<' || r == '>' }

package doctor

import (
	"strings"
	"unicode"
)

// maxText bounds a finding's text, in characters: servers say things in it.
const maxText = 600

// printable keeps what a server says from commanding a terminal, or from filling it.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
	if letters := []rune(text); len(letters) > maxText {
		return string(letters[:maxText]) + "…"
	}
	return text
}

package connector_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"postern/bridge/connector"
)

func TestAnAnswerRepeatsALongWordWithoutHalfLetters(t *testing.T) {
	for letters := range 4 {
		cut := connector.CutWord(strings.Repeat("a", letters) + strings.Repeat("🔑", 30))
		if !utf8.ValidString(cut) || len(cut) > 67 || !strings.HasSuffix(cut, "🔑…") {
			t.Errorf("got %q", cut)
		}
	}
	if short := connector.CutWord("🔑"); short != "🔑" {
		t.Errorf("got %q", short)
	}
}

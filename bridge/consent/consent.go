// Package consent keeps every text that users agreed to, by version, so that it can be shown what someone said yes to.
package consent

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

// Kind is what users are asked.
type Kind string

const (
	// Enlist is whether to be made known to a gatekeeper.
	Enlist Kind = "enlist"
	// EEA is whether the user is in the European Economic Area.
	EEA Kind = "eea"
)

// current is the version of each text that is asked now. A text that was in use is never changed in what it means: a new file
// with the next number takes its place.
var current = map[Kind]int{Enlist: 1, EEA: 1}

//go:embed *.md
var files embed.FS

var texts = template.Must(template.New("").Option("missingkey=error").ParseFS(files, "*.md"))

// Values fill the gaps of a text.
type Values struct {
	// Gatekeeper is the name that people read, User the Matrix ID, Domain the homeserver's name.
	Gatekeeper, User, Domain string
}

// Current is the version of the text that users are asked now.
func Current(kind Kind) int { return current[kind] }

// Text returns a text in Markdown, as it was shown. "" if there never was such a version.
func Text(kind Kind, version int, values Values) string {
	text := texts.Lookup(fmt.Sprintf("%s-%d.md", kind, version))
	if text == nil {
		return ""
	}
	var filled strings.Builder
	if err := text.Execute(&filled, values); err != nil {
		return "" // cannot happen: a test fills them all
	}
	return strings.TrimSpace(filled.String())
}

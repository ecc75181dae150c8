package troubles

import (
	"regexp"
	"strings"
)

// Remedies are the entries of the troubleshooting page, which is the only place where they stand.
type Remedies struct{ entries []entry }

type entry struct {
	// texts are what has to be in what the program says, any of them: each is pieces that all have to be there, in this order.
	texts  [][]string
	remedy string
}

var (
	heading = regexp.MustCompile(`^#+ `)
	// quoted is a text of the program in the title of an entry: in backticks or in quotes.
	quoted = regexp.MustCompile("`([^`]+)`|\"([^\"]+)\"")
	gap    = regexp.MustCompile(`"?\.\.\."?`)
	link   = regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`)
)

// ReadRemedies reads the page: a title in bold on a line of its own, which holds the texts that the program says, and what helps below.
func ReadRemedies(page string) *Remedies {
	remedies := &Remedies{}
	var open *entry
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "**"):
			remedies.entries = append(remedies.entries, entry{texts: textsIn(line)})
			open = &remedies.entries[len(remedies.entries)-1]
		case heading.MatchString(line):
			open = nil
		case open != nil && line != "":
			open.remedy = strings.TrimSpace(open.remedy + " " + plain(line))
		}
	}
	return remedies
}

// textsIn returns the texts of a title that say enough to be looked for: with a piece of at least three words.
func textsIn(title string) (texts [][]string) {
	for _, match := range quoted.FindAllStringSubmatch(title, -1) {
		var pieces []string
		long := false
		for _, piece := range gap.Split(match[1]+match[2], -1) {
			if piece = strings.Trim(piece, " ;,."); piece != "" {
				pieces = append(pieces, piece)
				long = long || strings.Count(piece, " ") >= 2
			}
		}
		if long {
			texts = append(texts, pieces)
		}
	}
	return texts
}

// plain takes the marks of Markdown out of a line: links, bold and code.
func plain(line string) string {
	return strings.NewReplacer("**", "", "`", "").Replace(link.ReplaceAllString(line, "$1"))
}

// For returns what helps if the program says these texts, "" if the page does not know them.
func (r *Remedies) For(said ...string) string {
	for _, entry := range r.entries {
		for _, pieces := range entry.texts {
			for _, text := range said {
				if holds(text, pieces) {
					return entry.remedy
				}
			}
		}
	}
	return ""
}

func holds(text string, pieces []string) bool {
	for _, piece := range pieces {
		_, after, found := strings.Cut(text, piece)
		if !found {
			return false
		}
		text = after
	}
	return true
}

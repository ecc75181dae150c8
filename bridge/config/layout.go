package config

import "strings"

// indent is by how many spaces the example indents each level.
const indent = 4

// entry is a key or a section as it stands in the example.
type entry struct {
	// path is such as public.s3.bucket, level is 0 for keys that stand in no section.
	path  string
	level int
	// section has no value of its own.
	section bool
	// comment is what stands above it, without marks. A key without one belongs to what the key before it says.
	comment []string
	// value is what follows the colon, as it is written.
	value string
	// text is all of it: the comment and the line of the key, with their indentation and line ends.
	text string
}

// layout reads a text of the example's form: keys in lines of their own, indented by four spaces, with their comments above them. A comment
// that a blank line follows belongs to no key.
func layout(text string) []entry {
	var entries []entry
	var comment, sections []string
	var pending strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" {
			comment = nil
			pending.Reset()
			continue
		}
		pending.WriteString(line)
		if mark, isComment := strings.CutPrefix(trimmed, "#"); isComment {
			comment = append(comment, strings.TrimPrefix(mark, " "))
			continue
		}
		name, value, _ := strings.Cut(trimmed, ":")
		level := (len(line) - len(strings.TrimLeft(line, " "))) / indent
		sections = append(sections[:min(level, len(sections))], name)
		entries = append(entries, entry{
			path: strings.Join(sections, "."), level: level, section: value == "", comment: comment,
			value: strings.TrimSpace(value), text: pending.String(),
		})
		comment = nil
		pending.Reset()
	}
	return entries
}

// itemLayout returns the keys of a list's entries, which a comment shows one of, and the comment without that.
func itemLayout(comment []string) (before []string, keys []entry) {
	for i, line := range comment {
		rest, found := strings.CutPrefix(strings.TrimLeft(line, " "), "- ")
		if !found {
			continue
		}
		depth := len(line) - len(rest)
		var text strings.Builder
		text.WriteString(rest + "\n")
		for _, line := range comment[i+1:] {
			text.WriteString(line[min(depth, len(line)):] + "\n")
		}
		return comment[:i], layout(text.String())
	}
	return comment, nil
}

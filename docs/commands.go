package docs

import (
	"regexp"
	"strings"
)

// Command is a command line that a document tells people to type.
type Command struct {
	// Line is where it begins in the document.
	Line int
	// Text is one line: what a backslash broke is put together, and comments are left out.
	Text string
}

var (
	// fence begins or ends a block of code. A block with no language, or sh, holds commands; other blocks say what they are.
	fence = regexp.MustCompile("^ *```([a-z]*) *$")
	// remark is a comment of its own line, or after a command.
	remark = regexp.MustCompile(`(^|\s+)# .*$`)
	spaces = regexp.MustCompile(`\s+`)
)

// Commands returns the commands in a document in Markdown, in order.
func Commands(document string) []Command {
	var commands []Command
	var inside, isShell bool
	var begun strings.Builder
	start := 0
	for i, line := range strings.Split(document, "\n") {
		if match := fence.FindStringSubmatch(line); match != nil {
			inside = !inside
			isShell = inside && (match[1] == "" || match[1] == "sh")
			continue
		}
		if !isShell {
			continue
		}
		if begun.Len() == 0 {
			start = i + 1
		}
		text, goesOn := strings.CutSuffix(strings.TrimSpace(remark.ReplaceAllString(line, "")), `\`)
		begun.WriteString(text + " ")
		if goesOn {
			continue
		}
		if text = strings.TrimSpace(spaces.ReplaceAllString(begun.String(), " ")); text != "" {
			commands = append(commands, Command{Line: start, Text: text})
		}
		begun.Reset()
	}
	return commands
}

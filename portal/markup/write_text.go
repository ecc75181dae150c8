package markup

import "strings"

// textLine is one line of a text for WhatsApp, before its markers are written.
type textLine struct {
	// prefix holds what stands before the text: quote marks, indentation, the bullet or number.
	prefix string
	cells  []cell
	// codeBlock is the number of the block of code that the line is part of, 0 if none.
	codeBlock int
}

// FromText turns plain text into a text for WhatsApp: the same text, with every marker that it happens to hold kept
// from formatting anything. base is the style of all of it.
func FromText(text string, base Style) string {
	text = Clean(text)
	if base == Plain && !strings.ContainsAny(text, "*_~`") {
		return strings.Trim(text, "\n")
	}
	var lines []textLine
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, textLine{cells: toCells(line, base)})
	}
	return writeText(lines)
}

// writeText joins lines to a text. Empty lines at both ends are left out.
func writeText(lines []textLine) string {
	var out strings.Builder
	for i := 0; i < len(lines); {
		if i > 0 {
			out.WriteByte('\n')
		}
		if end := codeBlockEnd(lines, i); end > i {
			writeCodeBlock(&out, lines[i:end])
			i = end
			continue
		}
		out.WriteString(lines[i].prefix)
		if lines[i].codeBlock > 0 {
			writeFenced(&out, lines[i:i+1])
		} else {
			writeLine(&out, lines[i].cells)
		}
		i++
	}
	return strings.Trim(out.String(), "\n")
}

// codeBlockEnd returns the end of the block of code that begins at line i, and i if none does. Inside quotes and lists
// there are no blocks, since the marks at the beginnings of the lines would become part of the code.
func codeBlockEnd(lines []textLine, i int) int {
	end := i
	for end < len(lines) && lines[end].codeBlock > 0 && lines[end].codeBlock == lines[i].codeBlock && lines[end].prefix == "" {
		end++
	}
	return end
}

// writeCodeBlock writes lines of code between ```, without empty lines at both ends.
func writeCodeBlock(out *strings.Builder, lines []textLine) {
	for len(lines) > 0 && isBlank(lines[0].cells) {
		lines = lines[1:]
	}
	for len(lines) > 0 && isBlank(lines[len(lines)-1].cells) {
		lines = lines[:len(lines)-1]
	}
	writeFenced(out, lines)
}

// writeFenced writes code between ```. The code cannot hold ``` itself nor end in a backtick: hair spaces keep them apart.
func writeFenced(out *strings.Builder, lines []textLine) {
	var code strings.Builder
	for i, line := range lines {
		if i > 0 {
			code.WriteByte('\n')
		}
		for _, c := range line.cells {
			code.WriteRune(c.r)
		}
	}
	text := strings.TrimRight(code.String(), " \t")
	if strings.TrimSpace(text) == "" {
		return
	}
	if strings.Contains(text, fence) {
		text = strings.ReplaceAll(text, "`", "`"+string(hairSpace))
	}
	if strings.HasSuffix(text, "`") {
		text += string(hairSpace)
	}
	if strings.HasPrefix(text, "`") {
		text = string(hairSpace) + text
	}
	out.WriteString(fence + text + fence)
}

package markup

import (
	"html"
	"strconv"
	"strings"
)

const (
	// maxQuoteDepth and maxListDepth bound how deep quotes and lists nest in what is written, in both directions. What
	// is deeper is shown at the last depth.
	maxQuoteDepth = 8
	maxListDepth  = 8
	// maxListNumber is the highest number that begins a numbered list.
	maxListNumber = 999_999_999
	// nestedIndent is by how many spaces a list must be indented to be inside the item above it.
	nestedIndent = 2
)

// ToHTML turns a text with WhatsApp's markers into Matrix HTML. If nothing in it is formatted, formatted is false and
// the text needs no HTML and result is empty. The HTML has no other elements than strong, em, del, code, pre, blockquote, ul, ol, li and
// br, and no other attribute than start on ol; all text is escaped.
func ToHTML(text string) (result string, formatted bool) {
	text = strings.Trim(Clean(text), "\n")
	if !mayFormat(text) {
		return "", false
	}
	p := textParser{}
	p.levels = append(p.levels, level{})
	for text != "" {
		start, end, ok := findBlockFence(text)
		if !ok {
			p.lines(text)
			break
		}
		if before := strings.TrimSuffix(strings.TrimRight(text[:start], " "), "\n"); before != "" || start > 0 && text[0] == '\n' {
			p.lines(before)
		}
		p.fence(text[start+len(fence) : end])
		text = strings.TrimLeft(text[end+len(fence):], " ")
		text = strings.TrimPrefix(text, "\n")
	}
	p.enter(0)
	p.closeLists(-1)
	if !p.formatted {
		return "", false
	}
	return p.out.String(), true
}

// mayFormat tells whether anything in the text can be formatted. It spares most texts the rest.
func mayFormat(text string) bool {
	return strings.ContainsAny(text, "*_~`") || strings.Contains(text, "> ") || strings.Contains(text, "- ") || strings.Contains(text, ". ")
}

// Clean leaves only what belongs into a text: valid UTF-8, line feeds as line ends, and no other control characters
// than tabs.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == '\u2028' || r == '\u2029':
			return '\n'
		case r < ' ' && r != '\n' && r != '\t', 0x7f <= r && r < 0xa0:
			return -1
		}
		return r
	}, strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\ufffd"))
}

// findBlockFence returns where the next stretch of code between ``` begins and ends that is a block of its own: it
// spans lines, or is alone on its line.
func findBlockFence(text string) (start, end int, ok bool) {
	for from := 0; ; {
		start = strings.Index(text[from:], fence)
		if start < 0 {
			return 0, 0, false
		}
		start += from
		length := strings.Index(text[start+len(fence):], fence)
		if length < 0 {
			return 0, 0, false
		}
		end = start + len(fence) + length
		content := text[start+len(fence) : end]
		if strings.TrimSpace(content) == "" {
			from = start + len(fence)
			continue
		}
		if strings.Contains(content, "\n") || isAlone(text, start, end+len(fence)) {
			return start, end, true
		}
		from = end + len(fence)
	}
}

// isAlone tells whether nothing else is on the line that holds [start, end).
func isAlone(text string, start, end int) bool {
	return (start == 0 || text[start-1] == '\n') && (end == len(text) || text[end] == '\n')
}

// textParser writes HTML while it reads line by line.
type textParser struct {
	out       strings.Builder
	formatted bool
	levels    []level // the text itself, and every quote that is open
	lists     []list  // the lists that are open in the innermost level
}

// level is what was written last in a quote or outside of all.
type level struct {
	last   piece
	blanks int // empty lines since
}

type piece int

const (
	nothing piece = iota
	line
	block
)

type list struct {
	ordered bool
	indent  int
	number  int // of the last item
}

func (p *textParser) lines(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		p.line(line)
	}
}

func (p *textParser) line(text string) {
	depth := 0
	for depth < maxQuoteDepth && strings.HasPrefix(text, "> ") {
		depth, text = depth+1, text[2:]
	}
	p.enter(depth)
	if item, content, ok := parseItem(text); ok && p.item(item, content) {
		return
	}
	indent := countSpaces(text)
	if len(p.lists) > 0 && indent >= p.lists[len(p.lists)-1].indent+nestedIndent && indent < len(text) {
		p.out.WriteString("<br>")
		p.cells(text[indent:])
		return
	}
	p.closeLists(-1)
	if strings.TrimSpace(text) == "" {
		p.top().blanks++
		return
	}
	p.separate(line)
	p.cells(text)
}

// enter opens or closes quotes so that depth of them are open.
func (p *textParser) enter(depth int) {
	if depth != len(p.levels)-1 {
		p.closeLists(-1)
	}
	for len(p.levels)-1 > depth {
		p.out.WriteString("</blockquote>")
		p.levels = p.levels[:len(p.levels)-1]
	}
	for len(p.levels)-1 < depth {
		p.separate(block)
		p.out.WriteString("<blockquote>")
		p.levels = append(p.levels, level{})
		p.formatted = true
	}
}

func (p *textParser) top() *level { return &p.levels[len(p.levels)-1] }

// separate writes the line ends between what came last and what comes next. A block begins and ends a line by itself.
func (p *textParser) separate(next piece) {
	top := p.top()
	breaks := top.blanks
	if top.last == line && (next == line || breaks > 0) {
		breaks++
	}
	p.out.WriteString(strings.Repeat("<br>", breaks))
	*top = level{last: next}
}

func (p *textParser) cells(text string) {
	if writeCells(&p.out, parseLine(text)) {
		p.formatted = true
	}
}

// fence writes a block of code. One line end after the opening and before the closing ``` is not part of it.
func (p *textParser) fence(content string) {
	p.enter(0)
	p.closeLists(-1)
	p.separate(block)
	content = strings.TrimSuffix(strings.TrimPrefix(content, "\n"), "\n")
	p.out.WriteString("<pre><code>" + html.EscapeString(content) + "</code></pre>")
	p.formatted = true
}

// parseItem reads the bullet or number of a list item.
func parseItem(text string) (item list, content string, ok bool) {
	item.indent = countSpaces(text)
	rest := text[item.indent:]
	if strings.HasPrefix(rest, "- ") || strings.HasPrefix(rest, "* ") {
		content = rest[2:]
		return item, content, strings.TrimSpace(content) != ""
	}
	digits, content, ok := strings.Cut(rest, ". ")
	if !ok || digits == "" || len(digits) > 9 || strings.Trim(digits, "0123456789") != "" {
		return list{}, "", false
	}
	item.ordered = true
	item.number, _ = strconv.Atoi(digits)
	return item, content, strings.TrimSpace(content) != ""
}

// item writes a list item, and returns false if none can begin at this indentation.
func (p *textParser) item(item list, content string) bool {
	p.closeLists(item.indent)
	if len(p.lists) == 0 && item.indent > 0 {
		return false
	}
	if count := len(p.lists); count > 0 {
		last := &p.lists[count-1]
		switch {
		case item.indent >= last.indent+nestedIndent && count < maxListDepth:
			p.openList(item)
		case item.ordered == last.ordered && (!item.ordered || item.number == last.number+1):
			p.out.WriteString("</li><li>")
			last.number = item.number
		default:
			item.indent = last.indent
			p.closeLists(last.indent - 1)
			p.openList(item)
		}
	} else {
		p.openList(item)
	}
	p.cells(content)
	return true
}

func (p *textParser) openList(item list) {
	if len(p.lists) == 0 {
		p.separate(block)
	}
	switch {
	case item.ordered && item.number != 1:
		p.out.WriteString(`<ol start="` + strconv.Itoa(item.number) + `"><li>`)
	case item.ordered:
		p.out.WriteString("<ol><li>")
	default:
		p.out.WriteString("<ul><li>")
	}
	p.lists = append(p.lists, item)
	p.formatted = true
}

// closeLists closes the lists that are indented deeper than indent; -1 closes all.
func (p *textParser) closeLists(indent int) {
	for len(p.lists) > 0 && p.lists[len(p.lists)-1].indent > indent {
		if p.lists[len(p.lists)-1].ordered {
			p.out.WriteString("</li></ol>")
		} else {
			p.out.WriteString("</li></ul>")
		}
		p.lists = p.lists[:len(p.lists)-1]
	}
}

func countSpaces(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }

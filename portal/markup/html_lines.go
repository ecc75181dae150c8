package markup

import "strings"

// text adds to the line. Outside of pre, white space counts as one space at most.
func (p *htmlParser) text(text string) { p.styledText(text, p.style()) }

func (p *htmlParser) styledText(text string, style Style) {
	for _, r := range Clean(text) {
		switch {
		case p.pre > 0 && r == '\n':
			p.endPreLine()
		case p.pre > 0:
			p.line = append(p.line, cell{r: r})
		case r == ' ' || r == '\n' || r == '\t' || r == '\f':
			if count := len(p.line); count > 0 && p.line[count-1].r != ' ' {
				p.line = append(p.line, cell{' ', style})
			}
		default:
			p.line = append(p.line, cell{r, style})
		}
	}
}

func (p *htmlParser) lineBreak() {
	switch {
	case p.pre > 0:
		p.endPreLine()
	case len(p.line) > 0:
		p.endLine()
	case len(p.frames) == 0: // in quotes and lists an empty line would end them
		p.lines = append(p.lines, textLine{})
		p.gap = false
	}
}

// endLine ends the line if there is anything in it.
func (p *htmlParser) endLine() {
	if p.pre > 0 {
		if len(p.line) > 0 {
			p.endPreLine()
		}
		return
	}
	for len(p.line) > 0 && p.line[len(p.line)-1].r == ' ' {
		p.line = p.line[:len(p.line)-1]
	}
	if len(p.line) > 0 {
		p.lines = append(p.lines, textLine{prefix: p.prefix(), cells: p.line})
		p.line = nil
	}
}

// endPreLine ends a line of code, which may be empty outside of quotes and lists.
func (p *htmlParser) endPreLine() {
	if len(p.frames) > 0 && isBlank(p.line) {
		p.line = nil
		return
	}
	p.lines = append(p.lines, textLine{prefix: p.prefix(), cells: p.line, codeBlock: p.blocks})
	p.line = nil
}

// prefix returns what stands before the next line in the quotes and lists that are open.
func (p *htmlParser) prefix() string {
	var prefix strings.Builder
	quotes, items := 0, 0
	for i := range p.frames {
		f := &p.frames[i]
		switch {
		case f.tag == "blockquote" && quotes < maxQuoteDepth:
			quotes++
			prefix.WriteString("> ")
		case f.tag == "li" && items < maxListDepth:
			items++
			if f.begun {
				prefix.WriteString(strings.Repeat(" ", len(f.bullet)))
			} else {
				prefix.WriteString(f.bullet)
				f.begun = true
			}
		}
	}
	return prefix.String()
}

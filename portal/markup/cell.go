package markup

// Style is how a piece of text is shown: a set of the constants below.
type Style uint8

// Plain text has none of the other styles.
const Plain Style = 0

const (
	Bold Style = 1 << iota
	Italic
	Strike
	Code

	// link marks the characters of a URL, in which nothing is formatted.
	link
	// linkTail marks the markers and punctuation behind a URL that may or may not belong to it.
	linkTail
	// marker marks a character that is not text but turns the styles in its set on or off.
	marker
)

// visible are the styles that a reader sees.
const visible = Bold | Italic | Strike | Code

// cell is one character of a line. Lines are slices of cells in both directions: one model, one set of rules.
type cell struct {
	r     rune
	style Style
}

// edge stands for the beginning and the end of a line.
const edge rune = 0

// runeAt returns the character at i, or edge outside the line.
func runeAt(cells []cell, i int) rune {
	if i < 0 || i >= len(cells) {
		return edge
	}
	return cells[i].r
}

func toCells(text string, style Style) []cell {
	cells := make([]cell, 0, len(text))
	for _, r := range text {
		cells = append(cells, cell{r, style})
	}
	return cells
}

// runEnd returns the end of the run of cells from i on that have the style.
func runEnd(cells []cell, i int, style Style) int {
	for i < len(cells) && cells[i].style&style != 0 {
		i++
	}
	return i
}

// eachRun calls fn for every longest run [start, end) of cells with the style. fn may clear that style in the run.
func eachRun(cells []cell, style Style, fn func(start, end int)) {
	for i := 0; i < len(cells); {
		if cells[i].style&style == 0 {
			i++
			continue
		}
		end := runEnd(cells, i, style)
		fn(i, end)
		i = end
	}
}

func clearStyle(cells []cell, style Style) {
	for i := range cells {
		cells[i].style &^= style
	}
}

// openStyles is the stack of styles that are open at a place in a line, outermost first.
type openStyles struct {
	stack [4]Style
	depth int
	set   Style
}

func (o *openStyles) push(style Style) {
	o.stack[o.depth] = style
	o.depth++
	o.set |= style
}

func (o *openStyles) pop() Style {
	o.depth--
	style := o.stack[o.depth]
	o.set &^= style
	return style
}

// mustClose tells whether the innermost style has to end where the styles in want begin: it is not wanted itself, or
// one that it is nested in is not.
func (o *openStyles) mustClose(want Style) bool { return o.set&^want != 0 }

// nextToOpen returns the style among missing that is to be opened at cell i: the one that lasts longest, so that the
// others nest in it. Code is always innermost.
func nextToOpen(cells []cell, i int, missing Style) Style {
	best, bestEnd := Plain, -1
	for _, style := range [...]Style{Bold, Italic, Strike} {
		if missing&style == 0 {
			continue
		}
		if end := runEnd(cells, i, style); end > bestEnd {
			best, bestEnd = style, end
		}
	}
	if best == Plain {
		return missing & Code
	}
	return best
}

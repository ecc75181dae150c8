package markup

// parseLine reads one line with WhatsApp's markers. The cells that it returns hold the text without the markers that
// count as such.
func parseLine(text string) []cell {
	cells := toCells(text, Plain)
	markCode(cells)
	markLinks(cells)
	markStyles(cells)

	var open Style
	kept := cells[:0]
	for _, c := range cells {
		if c.style&marker != 0 {
			open ^= c.style & visible &^ Code
			continue
		}
		kept = append(kept, cell{c.r, c.style&visible | open})
	}
	return kept
}

// markCode finds code between backticks, which goes before all else: nothing is formatted inside.
func markCode(cells []cell) {
	var closing []int // closing[i] is the first backtick from i on that may end code, built when first needed
	fences := true    // whether there may be another ``` further on
	for i := 0; i < len(cells); i++ {
		if cells[i].r != '`' {
			continue
		}
		if isFence(cells, i) {
			end := -1
			if fences {
				end = nextFence(cells, i+3)
				fences = end >= 0
			}
			if end >= 0 && !isBlank(cells[i+3:end]) {
				markSpan(cells, i, end, 3)
				i = end + 2
			} else {
				i += 2
			}
			continue
		}
		if runeAt(cells, i-1) == '`' || !canOpen(runeAt(cells, i-1), runeAt(cells, i+1), '`') {
			continue
		}
		if closing == nil {
			closing = closingBackticks(cells)
		}
		if end := closing[i+1]; end < len(cells) {
			markSpan(cells, i, end, 1)
			i = end
		}
	}
}

// markSpan makes code of what stands between the markers of the given length at start and end.
func markSpan(cells []cell, start, end, length int) {
	for i := start; i < end+length; i++ {
		if i < start+length || i >= end {
			cells[i].style = marker | Code
		} else {
			cells[i].style = Code
		}
	}
}

func isFence(cells []cell, i int) bool {
	return runeAt(cells, i) == '`' && runeAt(cells, i+1) == '`' && runeAt(cells, i+2) == '`'
}

func nextFence(cells []cell, from int) int {
	for i := from; i+2 < len(cells); i++ {
		if isFence(cells, i) {
			return i
		}
	}
	return -1
}

func isBlank(cells []cell) bool {
	for _, c := range cells {
		if !isSpace(c.r) {
			return false
		}
	}
	return true
}

// closingBackticks returns, for every place, the first backtick from there on that may end code: one beside another
// does not. len(cells) stands for none. One pass from the right keeps the whole linear.
func closingBackticks(cells []cell) []int {
	closing := make([]int, len(cells)+1)
	closing[len(cells)] = len(cells)
	for i := len(cells) - 1; i >= 0; i-- {
		closing[i] = closing[i+1]
		prev, next := runeAt(cells, i-1), runeAt(cells, i+1)
		if cells[i].r == '`' && prev != '`' && next != '`' && canClose(prev, next) {
			closing[i] = i
		}
	}
	return closing
}

// markStyles pairs the markers of bold, italic and strikethrough. A marker that closes an outer style makes plain
// characters of those that were opened inside and not closed.
func markStyles(cells []cell) {
	var open openStyles
	var at [4]int // where the styles on the stack were opened
	for i, c := range cells {
		style := styleOf(c.r)
		if style == Plain || style == Code || c.style&^linkTail != Plain {
			continue
		}
		prev, next := runeAt(cells, i-1), runeAt(cells, i+1)
		switch {
		case open.set&style == 0:
			if canOpen(prev, next, c.r) {
				at[open.depth] = i
				open.push(style)
			}
		case canClose(prev, next):
			for open.pop() != style {
			}
			cells[at[open.depth]].style = marker | style
			cells[i].style = marker | style
		}
	}
}

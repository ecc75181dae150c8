package markup

// settleStyles clears styles where WhatsApp would not show them, so that what is left can be written with markers:
// at white space around a style, in parts of words and of links, around parts of code, and where the text itself holds
// the marker in the wrong place.
func settleStyles(cells []cell) {
	eachRun(cells, Code, func(start, end int) { settleCode(cells, start, end) })
	markLinks(cells)
	eachRun(cells, Code, func(start, end int) { unifyStyles(cells, start, end) })
	eachRun(cells, link, func(start, end int) { unifyStyles(cells, start, end) })
	for _, style := range [...]Style{Bold, Italic, Strike} {
		eachRun(cells, style, func(start, end int) {
			start, end = trimRun(cells, start, end, style)
			if start < end && (splitsWord(cells, start, end) || doubles(cells[start], style) || endsInLink(cells[start:end], style)) {
				clearStyle(cells[start:end], style)
			}
		})
	}
}

// settleCode leaves out white space around code, and makes plain text of code that no markers can stand around.
func settleCode(cells []cell, start, end int) {
	start, end = trimRun(cells, start, end, Code)
	run := cells[start:end]
	if len(run) == 0 {
		return
	}
	if splitsWord(cells, start, end) || contains(run, '`') && !fitsFence(run) {
		clearStyle(run, Code)
	}
}

// fitsFence tells whether code with backticks inside can stand between ```.
func fitsFence(run []cell) bool {
	return run[0].r != '`' && run[len(run)-1].r != '`' && nextFence(run, 0) < 0
}

// unifyStyles clears, in a stretch in which no marker can stand, the styles that do not hold for all of it.
func unifyStyles(cells []cell, start, end int) {
	all, some := visible, Plain
	for _, c := range cells[start:end] {
		all &= c.style
		some |= c.style & visible
	}
	clearStyle(cells[start:end], some&^all)
}

// trimRun clears the style at white space on both ends of the run and returns what is left.
func trimRun(cells []cell, start, end int, style Style) (int, int) {
	for start < end && isSpace(cells[start].r) {
		cells[start].style &^= style
		start++
	}
	for start < end && isSpace(cells[end-1].r) {
		end--
		cells[end].style &^= style
	}
	return start, end
}

// doubles tells whether the marker of the style before the cell would stand before the same character: two in a row
// open nothing.
func doubles(c cell, style Style) bool { return c.style&Code == 0 && c.r == markerOf(style) }

// endsInLink tells whether a URL in the run ends in the marker of the style. It would end the style, and a hair space
// before it would break the link.
func endsInLink(run []cell, style Style) bool {
	for _, c := range run {
		if c.style&linkTail != 0 && c.r == markerOf(style) {
			return true
		}
	}
	return false
}

// splitsWord tells whether a letter or digit stands directly beside the run: no marker would count there. It looks at
// the text and not at other markers in between, so one pass settles all.
func splitsWord(cells []cell, start, end int) bool {
	return isWord(runeAt(cells, start-1)) || isWord(runeAt(cells, end))
}

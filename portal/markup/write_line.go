package markup

import "strings"

// writeLine writes a line with WhatsApp's markers. It changes the cells: styles that WhatsApp would not show there are
// cleared first, then every other marker in the text is kept from being taken for one.
func writeLine(out *strings.Builder, cells []cell) {
	if isSimple(cells) {
		for _, c := range cells {
			out.WriteRune(c.r)
		}
		return
	}
	settleStyles(cells)
	w := lineWriter{out: out, cells: cells}
	w.findLast()
	for i := range cells {
		w.turn(i)
		w.text(i)
	}
	w.turn(len(cells))
}

// isSimple tells of the common line that needs nothing: no styles and no marker characters.
func isSimple(cells []cell) bool {
	for _, c := range cells {
		if c.style&visible != 0 || styleOf(c.r) != Plain {
			return false
		}
	}
	return true
}

type lineWriter struct {
	out   *strings.Builder
	cells []cell
	open  openStyles
	prev  rune // the character written last
	// fenced is set while the open code is between ``` rather than single backticks.
	fenced bool
	// last holds, for each style by its bit, the last place in the line where it may be closed.
	last [int(Code) + 1]int
}

func (w *lineWriter) findLast() {
	for i, c := range w.cells {
		for _, style := range [...]Style{Bold, Italic, Strike, Code} {
			if c.style&style != 0 || styleOf(c.r) == style && c.style&(link|Code) == 0 && w.mayClose(i) {
				w.last[style] = i
			}
		}
	}
}

// mayClose tells whether the marker character of cell i may end a style. Where styles begin or end beside it, a marker
// will stand in between, beside which it may.
func (w *lineWriter) mayClose(i int) bool {
	prev, next := runeAt(w.cells, i-1), runeAt(w.cells, i+1)
	if w.stylesTurn(i) {
		prev = '*'
	}
	if w.stylesTurn(i + 1) {
		next = '*'
	}
	return canClose(prev, next)
}

// stylesTurn tells whether the styles differ between cell i and the one before.
func (w *lineWriter) stylesTurn(i int) bool {
	var before, after Style
	if i > 0 {
		before = w.cells[i-1].style & visible
	}
	if i < len(w.cells) {
		after = w.cells[i].style & visible
	}
	return before != after
}

func (w *lineWriter) put(r rune) {
	w.out.WriteRune(r)
	w.prev = r
}

// want returns the styles that are to be open at cell i. Nothing is opened before white space: a style that was
// interrupted goes on behind it.
func (w *lineWriter) want(i int) Style {
	if i >= len(w.cells) {
		return Plain
	}
	want := w.cells[i].style & visible
	if isSpace(w.cells[i].r) {
		want &= w.open.set
	}
	return want
}

// turn writes the markers that stand before cell i.
func (w *lineWriter) turn(i int) {
	for w.open.mustClose(w.want(i)) {
		w.mark(w.open.pop())
	}
	for missing := w.missing(i); missing != Plain; missing &^= w.open.set {
		style := nextToOpen(w.cells, i, missing)
		if style == Code {
			w.fenced = contains(w.cells[i:runEnd(w.cells, i, Code)], '`')
		}
		w.open.push(style)
		w.mark(style)
	}
}

// missing returns the styles to open before cell i. It clears one that was interrupted and would go on before its own
// marker character.
func (w *lineWriter) missing(i int) Style {
	missing := w.want(i) &^ w.open.set
	if clash := missing & styleOf(runeAt(w.cells, i)); clash != Plain && doubles(w.cells[i], clash) {
		clearStyle(w.cells[i:runEnd(w.cells, i, clash)], clash)
		missing &^= clash
	}
	return missing
}

func (w *lineWriter) mark(style Style) {
	if style == Code && w.fenced {
		w.out.WriteString(fence)
		w.prev = '`'
		return
	}
	w.put(markerOf(style))
}

// text writes the character of cell i, with a hair space beside it if it would be taken for a marker.
func (w *lineWriter) text(i int) {
	c := w.cells[i]
	style := styleOf(c.r)
	if style == Plain || c.style&(link|Code) != 0 {
		w.put(c.r)
		return
	}
	next := w.nextRune(i + 1)
	if style == Code && w.prev == '`' || w.open.set&style != 0 && canClose(w.prev, next) {
		w.put(hairSpace)
	}
	opens := w.open.set&style == 0 && i < w.last[style] && canOpen(w.prev, next, c.r)
	w.put(c.r)
	if opens || style == Code && next == '`' {
		w.put(hairSpace)
	}
}

// nextRune returns the character that will be written for place i: a marker, or the text.
func (w *lineWriter) nextRune(i int) rune {
	if w.open.mustClose(w.want(i)) {
		return markerOf(w.open.stack[w.open.depth-1])
	}
	if missing := w.missing(i); missing != Plain {
		return markerOf(nextToOpen(w.cells, i, missing))
	}
	return runeAt(w.cells, i)
}

func contains(cells []cell, r rune) bool {
	for _, c := range cells {
		if c.r == r {
			return true
		}
	}
	return false
}

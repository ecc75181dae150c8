package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// columns is the width that the conversation is laid out for.
	columns = 100
	// bubble is the widest line of one side's text.
	bubble = 56
)

// style is an ANSI "select graphic rendition" code.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// view writes to the terminal. Its methods are safe for concurrent use: what one call writes stays together.
type view struct {
	lock    sync.Mutex
	out     io.Writer
	colours bool
}

// newView uses colours if a person looks at the file and did not ask for none (https://no-color.org).
func newView(file *os.File) *view {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &view{out: file, colours: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (v *view) paint(text string, styles ...style) string {
	if !v.colours || text == "" {
		return text
	}
	codes := make([]string, len(styles))
	for i, s := range styles {
		codes[i] = string(s)
	}
	return "\x1b[" + strings.Join(codes, ";") + "m" + text + "\x1b[0m"
}

func (v *view) print(lines ...string) {
	v.lock.Lock()
	defer v.lock.Unlock()
	fmt.Fprintln(v.out, strings.Join(lines, "\n"))
}

// title opens a part of the demo.
func (v *view) title(text string) {
	v.print("", v.paint(text, bold), v.paint(strings.Repeat("─", columns), dim))
}

// note is a line between the steps.
func (v *view) note(text string) {
	for _, line := range wrap(text, columns-2) {
		v.print("  " + line)
	}
}

// step shows what is being done and why, runs it, and shows how long it took.
func (v *view) step(what, why string, run func() error) error {
	v.print("  " + v.paint("…", yellow) + " " + what + v.paint("  "+why, dim))
	start := time.Now()
	err := run()
	took := time.Since(start).Round(100 * time.Millisecond)
	if err != nil {
		v.print("  " + v.paint("✗", red, bold) + " " + what + fmt.Sprintf("  failed after %s", took))
		return err
	}
	v.print("  " + v.paint("✓", green) + " " + what + v.paint(fmt.Sprintf("  %s", took), dim))
	return nil
}

// left shows what the Matrix user writes, right what the WhatsApp contact writes, each with what the servers saw.
func (v *view) left(name, text string, seen ...string) { v.message(name, text, 0, cyan, seen) }
func (v *view) right(name, text string, seen ...string) {
	v.message(name, text, columns-bubble, green, seen)
}

func (v *view) message(name, text string, indent int, colour style, seen []string) {
	pad := strings.Repeat(" ", indent+2)
	lines := []string{"", pad + v.paint(name, colour, bold)}
	for _, line := range wrap(text, bubble) {
		lines = append(lines, pad+v.paint("│ ", colour)+line)
	}
	for _, line := range seen {
		for _, part := range wrap(line, bubble) {
			lines = append(lines, pad+v.paint("  "+part, dim))
		}
	}
	v.print(lines...)
}

// wrap breaks text into lines of at most width characters, at spaces where it can.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case line == "":
				line = word
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
				line += " " + word
			default:
				lines = append(lines, line)
				line = word
			}
		}
		lines = append(lines, line)
	}
	return lines
}

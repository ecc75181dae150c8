package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestWrapKeepsToTheWidthAndLosesNoWord(t *testing.T) {
	text := "a message that is longer than the line, with\na second paragraph and äöü characters"
	for _, width := range []int{10, 17, 40} {
		lines := wrap(text, width)
		for _, line := range lines {
			if len([]rune(line)) > width {
				t.Errorf("line %q is longer than %d", line, width)
			}
		}
		if !slices.Equal(strings.Fields(strings.Join(lines, " ")), strings.Fields(text)) {
			t.Errorf("words are lost: %q", lines)
		}
	}
}

func TestStepTellsTheOutcome(t *testing.T) {
	var out bytes.Buffer
	v := &view{out: &out}
	if err := v.step("build", "because", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := v.step("start", "because", func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"✓ build", "✗ start", "failed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

func TestNoColoursWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	v := &view{out: &out}
	v.left("Alice", "hello", "homeserver: m.room.encrypted")
	v.right("Bob", "hello")
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("escape codes in %q", out.String())
	}
}

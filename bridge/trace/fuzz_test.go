package trace_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"postern/bridge/trace"
)

// FuzzFollow reads anything as a log. What comes out is bounded, can be shown on a terminal as it is, and is about what was asked for.
func FuzzFollow(f *testing.F) {
	var json, text bytes.Buffer
	way(formats()["json"](&json))
	way(formats()["text"](&text))
	f.Add(json.Bytes())
	f.Add(text.Bytes())
	f.Add([]byte(`{"time":1,"event_id":["$one"],"event_ids":"$one","message":{"a":[[[]]]}}`))
	f.Add([]byte("2026-01-01T00:00:00.000Z DBG x event_id=$one message_id=\"\\u001b[31m\" event_ids=[\"$one\", a=[[[{ b=\"\\"))
	f.Fuzz(func(t *testing.T, log []byte) {
		story, err := trace.Follow("$one", []string{"3EB0A"}, source(log))
		if err != nil {
			t.Fatal(err)
		}
		if len(story.Events)+len(story.Messages) > 64 {
			t.Errorf("%d ids", len(story.Events)+len(story.Messages))
		}
		for _, line := range story.Lines {
			if len(line.Events)+len(line.Messages) == 0 {
				t.Errorf("a line about nothing: %+v", line)
			}
			shown := []string{line.Text, line.Error, line.Component, line.Level, line.Room}
			for _, detail := range line.Details {
				shown = append(shown, detail.Name, detail.Value)
			}
			for _, part := range append(shown, story.Rooms...) {
				if len(part) > 4096 || strings.ContainsFunc(part, unicode.IsControl) {
					t.Errorf("%q may harm a terminal", part)
				}
			}
		}
	})
}

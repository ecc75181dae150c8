package markup_test

import (
	"strings"
	"testing"

	"postern/portal/markup"
)

func BenchmarkFromHTML(b *testing.B) {
	source := "<p>Hi <b>Bob</b>, see <a href=\"https://example.org/a_b\">this</a> and <code>go test</code></p><ul><li>one</li><li>two</li></ul>"
	for _, size := range []struct {
		name  string
		times int
	}{{"message", 1}, {"64KiB", markup.MaxHTML / len(source)}} {
		b.Run(size.name, func(b *testing.B) {
			text := strings.Repeat(source, size.times)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				markup.FromHTML(text, markup.Plain)
			}
		})
	}
}

func BenchmarkToHTML(b *testing.B) {
	source := "Hi *Bob*, see https://example.org/a_b and `go test`\n- one\n- two\n"
	for _, size := range []struct {
		name  string
		times int
	}{{"message", 1}, {"64KiB", markup.MaxHTML / len(source)}} {
		b.Run(size.name, func(b *testing.B) {
			text := strings.Repeat(source, size.times)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				markup.ToHTML(text)
			}
		})
	}
}

func BenchmarkPlainText(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		markup.FromText("Shall we meet at eight, in front of the station?", markup.Plain)
		markup.ToHTML("Shall we meet at eight, in front of the station?")
	}
}

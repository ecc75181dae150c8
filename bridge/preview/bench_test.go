package preview_test

import (
	"testing"

	"postern/bridge/preview"
)

func BenchmarkSniff(b *testing.B) {
	data := jpegOf(b, gradient(1600, 1200))
	b.ReportAllocs()
	for b.Loop() {
		preview.Sniff(data)
	}
}

// BenchmarkThumbnail takes a photograph of 12 megapixels: what a phone makes.
func BenchmarkThumbnail(b *testing.B) {
	data := jpegOf(b, gradient(4000, 3000))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := thumbnail(b, data, 320)
		check(b, err)
	}
}

func BenchmarkFromThumbnail(b *testing.B) {
	data := jpegOf(b, gradient(100, 75))
	maker := preview.New(1)
	b.ReportAllocs()
	for b.Loop() {
		_, err := maker.FromThumbnail(b.Context(), data)
		check(b, err)
	}
}

package preview_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"

	"postern/bridge/preview"
)

func TestSniffGoesByTheBytes(t *testing.T) {
	photo := jpegOf(t, gradient(40, 30))
	grey := image.NewGray16(image.Rect(0, 0, 7, 9))
	for name, test := range map[string]struct {
		data []byte
		want preview.Format
	}{
		"JPEG":             {photo, preview.Format{MimeType: "image/jpeg", Width: 40, Height: 30}},
		"JPEG on its side": {withOrientation(photo, 6), preview.Format{MimeType: "image/jpeg", Width: 30, Height: 40}},
		"JPEG on its head": {withOrientation(photo, 3), preview.Format{MimeType: "image/jpeg", Width: 40, Height: 30}},
		"JPEG, orientation 99": {withOrientation(photo, 99),
			preview.Format{MimeType: "image/jpeg", Width: 40, Height: 30}},
		"JPEG cut before its size": {photo[:30], preview.Format{MimeType: "image/jpeg"}},
		"PNG":                      {pngOf(t, grey), preview.Format{MimeType: "image/png", Width: 7, Height: 9}},
		"animated PNG": {file(t, "animated.png"),
			preview.Format{MimeType: "image/png", Width: 24, Height: 16, Animated: true}},
		"GIF": {gifOf(t, 12, 10, 1, -1), preview.Format{MimeType: "image/gif", Width: 12, Height: 10}},
		"GIF of one frame that loops": {gifOf(t, 12, 10, 1, 0),
			preview.Format{MimeType: "image/gif", Width: 12, Height: 10}},
		"animated GIF": {gifOf(t, 12, 10, 2, -1),
			preview.Format{MimeType: "image/gif", Width: 12, Height: 10, Animated: true}},
		"WebP":          {file(t, "lossy.webp"), preview.Format{MimeType: "image/webp", Width: 24, Height: 16}},
		"lossless WebP": {file(t, "lossless.webp"), preview.Format{MimeType: "image/webp", Width: 24, Height: 16}},
		"WebP with alpha": {file(t, "alpha.webp"),
			preview.Format{MimeType: "image/webp", Width: 24, Height: 16}},
		"animated WebP": {file(t, "animated.webp"),
			preview.Format{MimeType: "image/webp", Width: 24, Height: 16, Animated: true}},
		"voice":      {file(t, "voice.ogg"), preview.Format{MimeType: "audio/ogg", Opus: true}},
		"M4A":        {file(t, "sound.m4a"), preview.Format{MimeType: "audio/mp4"}},
		"MP3":        {file(t, "sound.mp3"), preview.Format{MimeType: "audio/mpeg"}},
		"MP4":        {file(t, "film.mp4"), preview.Format{MimeType: "video/mp4"}},
		"WebM":       {file(t, "film.webm"), preview.Format{MimeType: "video/webm"}},
		"PDF":        {[]byte("%PDF-1.7\n"), preview.Format{MimeType: "application/pdf"}},
		"text":       {[]byte("hello, world\n"), preview.Format{MimeType: "text/plain"}},
		"nothing":    {nil, preview.Format{}},
		"gibberish":  {[]byte{0, 1, 2, 3, 0xfe, 0xff, 0, 9}, preview.Format{}},
		"lone magic": {[]byte("\x89PNG\r\n\x1a\n"), preview.Format{MimeType: "image/png"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := preview.Sniff(test.data); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestSniffSeesAnimationBehindALargeFirstFrame(t *testing.T) {
	frame := image.NewPaletted(image.Rect(0, 0, 600, 600), color.Palette{color.Black, color.White})
	for i, pixel := 0, noise(600, 600).Pix; i < len(frame.Pix); i++ {
		frame.Pix[i] = pixel[i*4] >> 7
	}
	for name, test := range map[string]struct {
		loops int
		want  bool
	}{"loops": {0, true}, "does not": {-1, false}} {
		data := gifOfFrames(t, test.loops, frame, frame)
		cut := len(data) / 3 // within the first frame
		if got := preview.Sniff(data[:cut]).Animated; got != test.want {
			t.Errorf("a GIF that %s: animated %v", name, got)
		}
		if !preview.Sniff(data).Animated {
			t.Errorf("a GIF that %s, given whole, is not animated", name)
		}
	}
}

func TestSniffLooksAtNoMoreThanThePrefix(t *testing.T) {
	// The size is behind a comment that fills the prefix.
	photo := jpegOf(t, gradient(40, 30))
	comment := append([]byte{0xff, 0xfe, 0xff, 0xff}, bytes.Repeat([]byte{' '}, 0xfffd)...)
	data := bytes.Join([][]byte{photo[:2], comment, photo[2:]}, nil)
	if got := preview.Sniff(data); got.Width != 0 || got.MimeType != "image/jpeg" {
		t.Errorf("got %+v", got)
	}
}

func TestAPanicOfADecoderIsAnError(t *testing.T) {
	err := preview.Guarded(func() error { panic("secret bytes") })
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	want := errors.New("as it was")
	if err = preview.Guarded(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
}

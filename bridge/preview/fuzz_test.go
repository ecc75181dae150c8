package preview_test

import (
	"bytes"
	"errors"
	"image/jpeg"
	"mime"
	"os"
	"testing"

	"postern/bridge/preview"
)

func addSeeds(f *testing.F) {
	entries, err := os.ReadDir("testdata")
	check(f, err)
	for _, entry := range entries {
		if !entry.IsDir() {
			f.Add(file(f, entry.Name()))
		}
	}
	photo := jpegOf(f, gradient(20, 16))
	for _, seed := range [][]byte{
		nil, photo, withOrientation(photo, 6), resized(f, photo, 20, 16, true), resized(f, photo, 60000, 60000, false),
		pngOf(f, gradient(20, 16)), claimedPNG(f, 50_000, 50_000, 16, 6, true, nil), gifOf(f, 20, 16, 2, 0),
		webpOfSize(f, 16384, 16384), []byte("<html>"), []byte("%PDF-"),
	} {
		f.Add(seed)
	}
}

func FuzzSniff(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		format := preview.Sniff(data)
		if format != preview.Sniff(data) {
			t.Error("two answers for the same bytes")
		}
		if format.Width < 0 || format.Height < 0 {
			t.Errorf("negative size: %+v", format)
		}
		if format.MimeType == "" {
			if format != (preview.Format{}) {
				t.Errorf("no type, but %+v", format)
			}
			return
		}
		if plain, parameters, err := mime.ParseMediaType(format.MimeType); err != nil || plain != format.MimeType || len(parameters) > 0 {
			t.Errorf("not a plain type: %q", format.MimeType)
		}
	})
}

func FuzzThumbnail(f *testing.F) {
	addSeeds(f)
	maker := preview.New(1)
	f.Fuzz(func(t *testing.T, data []byte) {
		// Large pictures are for the tests of bombs; here they would only make the search slow.
		if format := preview.Sniff(data); format.Width*format.Height > 1<<18 {
			return
		}
		const side = 64
		picture, err := maker.Thumbnail(t.Context(), bytes.NewReader(data), int64(len(data)), side)
		if err != nil {
			if !errors.Is(err, preview.ErrNotPicture) && !errors.Is(err, preview.ErrTooLarge) && !errors.Is(err, preview.ErrBroken) {
				t.Errorf("an error of no class: %v", err)
			}
			return
		}
		config, err := jpeg.DecodeConfig(bytes.NewReader(picture.JPEG))
		check(t, err)
		if config.Width != picture.Width || config.Height != picture.Height || max(config.Width, config.Height) > side ||
			len(picture.JPEG) > preview.MaxThumbnail || len(picture.Blurhash) != 28 {
			t.Errorf("got %d x %d, %d bytes, %+v", config.Width, config.Height, len(picture.JPEG), picture)
		}
	})
}

package preview_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"testing"

	"postern/bridge/preview"
)

func thumbnail(t testing.TB, data []byte, maxSide int) (*preview.Picture, error) {
	t.Helper()
	return preview.New(1).Thumbnail(t.Context(), bytes.NewReader(data), int64(len(data)), maxSide)
}

// decoded returns the thumbnail's pixels, after checks that hold for all.
func decoded(t testing.TB, picture *preview.Picture) image.Image {
	t.Helper()
	result, err := jpeg.Decode(bytes.NewReader(picture.JPEG))
	check(t, err)
	if size := result.Bounds().Size(); size != image.Pt(picture.Width, picture.Height) {
		t.Errorf("the JPEG has %v pixels, Picture says %d x %d", size, picture.Width, picture.Height)
	}
	if len(picture.JPEG) > preview.MaxThumbnail {
		t.Errorf("the thumbnail has %d bytes", len(picture.JPEG))
	}
	if len(picture.Blurhash) != 28 {
		t.Errorf("blurhash %q", picture.Blurhash)
	}
	return result
}

func TestThumbnailsOfEachFormat(t *testing.T) {
	for name, test := range map[string]struct {
		data          []byte
		source, small image.Point
	}{
		"JPEG":              {jpegOf(t, gradient(1600, 1200)), image.Pt(1600, 1200), image.Pt(320, 240)},
		"JPEG on its side":  {withOrientation(jpegOf(t, gradient(800, 600)), 8), image.Pt(600, 800), image.Pt(240, 320)},
		"PNG":               {pngOf(t, gradient(333, 1000)), image.Pt(333, 1000), image.Pt(106, 320)},
		"PNG of 16 bits":    {pngOf(t, image.NewNRGBA64(image.Rect(0, 0, 640, 64))), image.Pt(640, 64), image.Pt(320, 32)},
		"animated PNG":      {file(t, "animated.png"), image.Pt(24, 16), image.Pt(24, 16)},
		"animated GIF":      {gifOf(t, 400, 400, 3, 0), image.Pt(400, 400), image.Pt(320, 320)},
		"WebP":              {file(t, "lossy.webp"), image.Pt(24, 16), image.Pt(24, 16)},
		"lossless WebP":     {file(t, "lossless.webp"), image.Pt(24, 16), image.Pt(24, 16)},
		"WebP with alpha":   {file(t, "alpha.webp"), image.Pt(24, 16), image.Pt(24, 16)},
		"a line":            {pngOf(t, gradient(5000, 1)), image.Pt(5000, 1), image.Pt(320, 1)},
		"one pixel":         {pngOf(t, gradient(1, 1)), image.Pt(1, 1), image.Pt(1, 1)},
		"just one too wide": {pngOf(t, gradient(321, 321)), image.Pt(321, 321), image.Pt(320, 320)},
	} {
		t.Run(name, func(t *testing.T) {
			picture, err := thumbnail(t, test.data, 320)
			check(t, err)
			decoded(t, picture)
			if got := image.Pt(picture.Width, picture.Height); got != test.small {
				t.Errorf("the thumbnail has %v pixels, want %v", got, test.small)
			}
			if got := image.Pt(picture.SourceWidth, picture.SourceHeight); got != test.source {
				t.Errorf("the source has %v pixels, want %v", got, test.source)
			}
		})
	}
}

func TestThumbnailLooksLikeItsSource(t *testing.T) {
	picture, err := thumbnail(t, jpegOf(t, gradient(1000, 1000)), 100)
	check(t, err)
	small := decoded(t, picture)
	for _, at := range []image.Point{{5, 5}, {94, 5}, {5, 94}, {94, 94}, {50, 50}} {
		want := color.RGBA{uint8(at.X * 255 / 100), uint8(at.Y * 255 / 100), 128, 255}
		near(t, small, at, want)
	}
}

func near(t *testing.T, picture image.Image, at image.Point, want color.RGBA) {
	t.Helper()
	got := color.RGBAModel.Convert(picture.At(at.X, at.Y)).(color.RGBA)
	for _, pair := range [][2]uint8{{got.R, want.R}, {got.G, want.G}, {got.B, want.B}} {
		if difference := int(pair[0]) - int(pair[1]); difference < -12 || difference > 12 {
			t.Errorf("at %v: got %v, want %v", at, got, want)
			return
		}
	}
}

func TestThumbnailIsTurnedUpright(t *testing.T) {
	// Where the corner at the start of the first row, and the one at its end, have to go: the EXIF standard names for
	// each value the visual sides of the 0th row and the 0th column.
	const left, right, top, bottom = 8, 55, 8, 55
	corners := map[byte][2]image.Point{
		1: {{left, top}, {right, top}},
		2: {{right, top}, {left, top}},
		3: {{right, bottom}, {left, bottom}},
		4: {{left, bottom}, {right, bottom}},
		5: {{left, top}, {left, bottom}},
		6: {{right, top}, {right, bottom}},
		7: {{right, bottom}, {right, top}},
		8: {{left, bottom}, {left, top}},
	}
	source := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			shade := color.RGBA{0, 0, 255, 255}
			if y < 32 && x < 32 {
				shade = color.RGBA{255, 0, 0, 255}
			} else if y < 32 {
				shade = color.RGBA{0, 255, 0, 255}
			}
			source.SetRGBA(x, y, shade)
		}
	}
	for value, want := range corners {
		picture, err := thumbnail(t, withOrientation(jpegOf(t, source), value), 64)
		check(t, err)
		small := decoded(t, picture)
		near(t, small, want[0], color.RGBA{255, 0, 0, 255})
		near(t, small, want[1], color.RGBA{0, 255, 0, 255})
	}
}

func TestTransparencyBecomesWhite(t *testing.T) {
	picture, err := thumbnail(t, pngOf(t, image.NewNRGBA(image.Rect(0, 0, 50, 50))), 50)
	check(t, err)
	near(t, decoded(t, picture), image.Pt(25, 25), color.RGBA{255, 255, 255, 255})
}

func TestThumbnailFitsIntoAMessage(t *testing.T) {
	picture, err := thumbnail(t, pngOf(t, noise(900, 900)), preview.MaxSide+100)
	check(t, err)
	decoded(t, picture) // checks the size in bytes
	if picture.Width >= preview.MaxSide || picture.Width < 100 {
		t.Errorf("noise became %d pixels wide", picture.Width)
	}
}

func TestThumbnailHasNoMetadata(t *testing.T) {
	photo := jpegOf(t, gradient(40, 30))
	comment := append([]byte{0xff, 0xfe, 0, 8}, "secret"...)
	data := withOrientation(bytes.Join([][]byte{photo[:2], comment, photo[2:]}, nil), 1)
	for name, makeOne := range map[string]func() (*preview.Picture, error){
		"of a file":      func() (*preview.Picture, error) { return thumbnail(t, data, 40) },
		"of a thumbnail": func() (*preview.Picture, error) { return preview.New(1).FromThumbnail(t.Context(), data) },
	} {
		picture, err := makeOne()
		check(t, err)
		if bytes.Contains(picture.JPEG, []byte("secret")) || bytes.Contains(picture.JPEG, []byte("Exif")) {
			t.Errorf("the thumbnail %s holds metadata of its source", name)
		}
	}
}

func TestFromThumbnailTakesOnlySmallJPEGs(t *testing.T) {
	maker := preview.New(1)
	picture, err := maker.FromThumbnail(t.Context(), jpegOf(t, gradient(100, 75)))
	check(t, err)
	decoded(t, picture)
	if picture.Width != 100 || picture.Height != 75 {
		t.Errorf("got %d x %d", picture.Width, picture.Height)
	}
	for name, test := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":         {nil, preview.ErrNotPicture},
		"text":            {[]byte("<svg onload=alert(1)>"), preview.ErrNotPicture},
		"PNG":             {pngOf(t, gradient(100, 75)), preview.ErrNotPicture},
		"too many bytes":  {append(jpegOf(t, gradient(100, 75)), make([]byte, 64<<10)...), preview.ErrTooLarge},
		"too many pixels": {jpegOf(t, image.NewGray(image.Rect(0, 0, 1001, 10))), preview.ErrTooLarge},
		"cut off":         {jpegOf(t, gradient(100, 75))[:700], preview.ErrBroken},
	} {
		if _, err := maker.FromThumbnail(t.Context(), test.data); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

// gate is a reader that says when it is read and then waits.
type gate struct {
	reading chan struct{}
	release chan struct{}
	data    *bytes.Reader
}

func (g *gate) Read(p []byte) (int, error) {
	select {
	case g.reading <- struct{}{}:
		<-g.release
	case <-g.release:
	}
	return g.data.Read(p)
}

func TestOneAtATime(t *testing.T) {
	maker := preview.New(1)
	data := jpegOf(t, gradient(40, 30))
	first := &gate{make(chan struct{}), make(chan struct{}), bytes.NewReader(data)}
	done := make(chan error, 1)
	go func() {
		_, err := maker.Thumbnail(context.Background(), first, -1, 40)
		done <- err
	}()
	<-first.reading
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unread := &failing{errors.New("the second was read while the first had the only slot")}
	if _, err := maker.Thumbnail(ctx, unread, -1, 40); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := maker.FromThumbnail(ctx, data); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(first.release)
	check(t, <-done)
	_, err := maker.FromThumbnail(t.Context(), data)
	check(t, err)
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestErrorsOfTheSource(t *testing.T) {
	broken := errors.New("connection lost")
	_, err := preview.New(1).Thumbnail(t.Context(), io.MultiReader(
		bytes.NewReader(jpegOf(t, gradient(40, 30))[:100]), &failing{broken}), -1, 40)
	if !errors.Is(err, broken) || errors.Is(err, preview.ErrBroken) {
		t.Errorf("got %v", err)
	}
}

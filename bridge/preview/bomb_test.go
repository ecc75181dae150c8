package preview_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"runtime"
	"testing"

	"postern/bridge/preview"
)

// allocated is how many bytes call allocates, freed again or not.
func allocated(call func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestBombsAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	photo := jpegOf(t, gradient(16, 16))
	hugeFrame := gifOf(t, 10, 10, 1, -1)
	at := bytes.IndexByte(hugeFrame[13+6:], 0x2c) + 13 + 6
	binary.LittleEndian.PutUint16(hugeFrame[at+5:], 65535)
	binary.LittleEndian.PutUint16(hugeFrame[at+7:], 65535)
	hugeScreen := bytes.Clone(hugeFrame)
	binary.LittleEndian.PutUint32(hugeScreen[6:], 0xffffffff)
	liar := bytes.Clone(file(t, "lossy.webp"))
	binary.LittleEndian.PutUint32(liar[4:], 120<<20)
	binary.LittleEndian.PutUint32(liar[16:], 119<<20)

	for name, test := range map[string]struct {
		data []byte
		want error
	}{
		"a PNG that claims 50,000 x 50,000": {claimedPNG(t, 50_000, 50_000, 8, 6, false, nil), preview.ErrTooLarge},
		"a PNG of 20,000 x 20,000 zeros": {
			claimedPNG(t, 20_000, 20_000, 1, 0, false, make([]byte, 20_000*(20_000/8+1))), preview.ErrTooLarge},
		"a PNG of 2^31 pixels a side": {
			claimedPNG(t, 1<<31-1, 1<<31-1, 8, 0, false, nil), preview.ErrBroken}, // refused by image/png
		"a PNG that is a line":         {claimedPNG(t, 1<<20, 1, 8, 0, false, nil), preview.ErrTooLarge},
		"an interlaced PNG of 16 bits": {claimedPNG(t, 3000, 3000, 16, 6, true, nil), preview.ErrTooLarge},
		"a PNG without pixels":         {claimedPNG(t, 0, 10, 8, 0, false, nil), preview.ErrBroken},
		"a GIF with a huge screen":     {hugeScreen, preview.ErrTooLarge},
		"a GIF with a huge frame":      {hugeFrame, preview.ErrBroken},
		"a JPEG of 65535 x 65535":      {resized(t, photo, 65535, 65535, false), preview.ErrTooLarge},
		"a progressive JPEG":           {resized(t, photo, 4500, 4500, true), preview.ErrTooLarge},
		"a WebP of 16384 x 16384":      {webpOfSize(t, 16384, 16384), preview.ErrTooLarge},
		"a WebP with a lying length":   {liar, preview.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			bytesUsed := allocated(func() { _, err = thumbnail(t, test.data, 320) })
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if limit := uint64(2<<20 + 2*len(test.data)); bytesUsed > limit {
				t.Errorf("%d KiB were allocated", bytesUsed>>10)
			}
		})
	}
}

// webpOfSize is a lossless WebP with another size in its header.
func webpOfSize(t testing.TB, width, height uint32) []byte {
	data := bytes.Clone(file(t, "lossless.webp"))
	const size = 21 // behind the chunk's header and a signature
	binary.LittleEndian.PutUint32(data[size:], (width-1)|(height-1)<<14)
	return data
}

// TestDecodersNeedNoMoreThanWeThink: what the header check lets pass stays under the limit that it stands for. The
// pictures are the largest of their sort, and cut off: decoders allocate before they read.
func TestDecodersNeedNoMoreThanWeThink(t *testing.T) {
	photo := jpegOf(t, gradient(16, 16))
	for name, data := range map[string][]byte{
		"progressive JPEG":       resized(t, photo, 3800, 3800, true), // 4:2:0, 9 bytes a pixel
		"JPEG":                   resized(t, photo, 4898, 4898, false),
		"PNG of 8 bits":          claimedPNG(t, 4898, 4898, 8, 6, false, nil),
		"PNG of 16 bits":         claimedPNG(t, 4090, 4090, 16, 6, false, nil),
		"interlaced PNG":         claimedPNG(t, 4090, 4090, 8, 6, true, make([]byte, 4<<20)),
		"interlaced grey PNG":    claimedPNG(t, 4090, 4090, 8, 0, true, make([]byte, 4<<20)),
		"GIF":                    claimedGIF(t, 4898, 4898),
		"lossless WebP":          webpOfSize(t, 3300, 3300),
		"a photograph, complete": jpegOf(t, image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)),
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			bytesUsed := allocated(func() { _, err = thumbnail(t, data, 320) })
			if errors.Is(err, preview.ErrTooLarge) {
				t.Fatalf("it was not decoded: %v", err)
			}
			t.Logf("%d MiB, error: %v", bytesUsed>>20, err)
			const ours = 24 << 20 // the file, scaling, encoding
			if bytesUsed > preview.MaxMemory+ours {
				t.Errorf("%d MiB were allocated", bytesUsed>>20)
			}
		})
	}
}

func TestNoPictureOrADamagedOne(t *testing.T) {
	photo, drawing := jpegOf(t, gradient(400, 300)), pngOf(t, gradient(400, 300))
	flipped := bytes.Clone(drawing)
	flipped[len(flipped)/2] ^= 1
	for name, test := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":                {nil, preview.ErrNotPicture},
		"text":                   {[]byte("this is not a picture"), preview.ErrNotPicture},
		"SVG":                    {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), preview.ErrNotPicture},
		"a film":                 {file(t, "film.mp4"), preview.ErrNotPicture},
		"animated WebP":          {file(t, "animated.webp"), preview.ErrNotPicture},
		"a cut off JPEG":         {photo[:len(photo)/2], preview.ErrBroken},
		"a JPEG's first bytes":   {photo[:4], preview.ErrBroken},
		"a cut off PNG":          {drawing[:len(drawing)/2], preview.ErrBroken},
		"a PNG with a wrong bit": {flipped, preview.ErrBroken},
		"a cut off GIF":          {gifOf(t, 400, 300, 1, -1)[:40], preview.ErrBroken},
		"a cut off WebP":         {file(t, "lossy.webp")[:60], preview.ErrBroken},
	} {
		if _, err := thumbnail(t, test.data, 320); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

// endless counts what is read of it.
type endless struct{ count int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.count += int64(len(p))
	return len(p), nil
}

func TestNoMoreIsReadThanTheLimit(t *testing.T) {
	maker := preview.New(1)
	var source endless
	if _, err := maker.Thumbnail(t.Context(), &source, preview.MaxSource+1, 320); !errors.Is(err, preview.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if source.count != 0 {
		t.Error("a file that is too large by its own account was read")
	}
	for _, size := range []int64{-1, 100} {
		source.count = 0
		_, err := maker.Thumbnail(t.Context(), io.Reader(&source), size, 320)
		if !errors.Is(err, preview.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		if source.count > preview.MaxSource+1 {
			t.Errorf("%d bytes were read", source.count)
		}
	}
}

//go:build linux

package transcode_test

import (
	"bytes"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/webp"

	"postern/bridge/transcode"
)

func about(t *testing.T, got, want time.Duration) {
	t.Helper()
	if (got - want).Abs() > 100*time.Millisecond {
		t.Errorf("it lasts %v, want about %v", got, want)
	}
}

func TestVoiceIsOpusInOneChannel(t *testing.T) {
	tool := ffmpeg(t)
	for name, source := range map[string][]byte{
		"WAV": wav(2),
		// The index of this one is at the end, so ffmpeg has to seek.
		"M4A":  generate(t, "a.m4a", "-i", "sine=d=2", "-ac", "2"),
		"MP3":  generate(t, "a.mp3", "-i", "sine=d=2"),
		"Opus": generate(t, "a.ogg", "-i", "sine=d=2", "-c:a", "libopus"),
		"FLAC": generate(t, "a.flac", "-i", "sine=d=2"),
		"WebM": generate(t, "a.webm", "-i", "sine=d=2", "-c:a", "libopus"),
		"film": generate(t, "a.mkv", "-i", "testsrc=d=2:s=64x64", "-f", "lavfi", "-i", "sine=d=2", "-c:v", "libx264", "-c:a", "aac"),
	} {
		t.Run(name, func(t *testing.T) {
			result, err := tool.Voice(t.Context(), bytes.NewReader(source))
			check(t, err)
			about(t, result.Duration, 2*time.Second)
			if result.Width != 0 || result.Height != 0 {
				t.Errorf("sound has %d x %d pixels", result.Width, result.Height)
			}
			data := contents(t, result)
			const head, channels = 28, 9 // behind the page's header; within the packet (RFC 7845)
			if !bytes.HasPrefix(data, []byte("OggS")) || !bytes.HasPrefix(data[head:], []byte("OpusHead")) {
				t.Fatalf("it begins with %q", data[:40])
			}
			if data[head+channels] != 1 {
				t.Errorf("%d channels", data[head+channels])
			}
			if bytes.Contains(data, []byte(title)) {
				t.Error("metadata of the source is in it")
			}
		})
	}
}

func TestGIFBecomesAFilm(t *testing.T) {
	tool := ffmpeg(t)
	for name, test := range map[string]struct {
		source        []byte
		width, height int
		duration      time.Duration
	}{
		"GIF":            {animatedGIF(t, 100, 80, 10), 100, 80, time.Second},
		"odd GIF":        {animatedGIF(t, 33, 51, 10), 32, 50, time.Second},
		"tiny GIF":       {animatedGIF(t, 1, 1, 10), 2, 2, time.Second},
		"GIF, one frame": {animatedGIF(t, 64, 64, 1), 64, 64, 100 * time.Millisecond},
		"animated PNG":   {generate(t, "a.apng", "-i", "testsrc=d=1:s=64x48:r=10", "-f", "apng"), 64, 48, time.Second},
		"WebM, large":    {generate(t, "a.webm", "-i", "testsrc=d=0.2:s=1920x1080:r=10", "-c:v", "libvpx"), 1280, 720, 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := tool.GIF(t.Context(), bytes.NewReader(test.source))
			check(t, err)
			if result.Width != test.width || result.Height != test.height {
				t.Errorf("got %d x %d, want %d x %d", result.Width, result.Height, test.width, test.height)
			}
			about(t, result.Duration, test.duration)
			data := contents(t, result)
			index, pixels := bytes.Index(data, []byte("moov")), bytes.Index(data, []byte("mdat"))
			if !bytes.Equal(data[4:8], []byte("ftyp")) || index < 0 || index > pixels {
				t.Errorf("not an MP4 with the index in front: moov at %d, mdat at %d", index, pixels)
			}
			if !bytes.Contains(data, []byte("avc1")) || bytes.Contains(data, []byte("mp4a")) {
				t.Error("not H.264 alone")
			}
			if bytes.Contains(data, []byte(title)) {
				t.Error("metadata of the source is in it")
			}
		})
	}
}

func TestTransparentGIFIsOnWhite(t *testing.T) {
	tool := ffmpeg(t)
	film, err := tool.GIF(t.Context(), bytes.NewReader(animatedGIF(t, 100, 100, 3)))
	check(t, err)
	defer film.Data.Close()
	first, err := tool.Frame(t.Context(), film.Data)
	check(t, err)
	picture, err := jpeg.Decode(bytes.NewReader(contents(t, first)))
	check(t, err)
	if err = near(picture.At(75, 75), color.NRGBA{255, 255, 255, 255}); err != nil {
		t.Errorf("the background: %v", err)
	}
	if err = near(picture.At(25, 25), color.NRGBA{255, 0, 0, 255}); err != nil {
		t.Errorf("the square: %v", err)
	}
}

func TestStickerIsASquareWebP(t *testing.T) {
	tool := ffmpeg(t)
	for name, source := range map[string][]byte{"wide": bluePNG(t, 200, 100), "large": bluePNG(t, 3000, 1500)} {
		result, err := tool.Sticker(t.Context(), bytes.NewReader(source))
		check(t, err)
		if result.Width != 512 || result.Height != 512 || result.Duration != 0 {
			t.Errorf("%s: got %+v", name, result)
		}
		picture, err := webp.Decode(bytes.NewReader(contents(t, result)))
		check(t, err)
		if size := picture.Bounds().Size(); size.X != 512 || size.Y != 512 {
			t.Errorf("%s: got %v pixels", name, size)
		}
		if err = near(picture.At(256, 256), color.NRGBA{0, 0, 255, 128}); err != nil {
			t.Errorf("%s: the middle: %v", name, err)
		}
		for _, y := range []int{60, 450} { // the picture is from 128 to 384
			if _, _, _, alpha := picture.At(256, y).RGBA(); alpha != 0 {
				t.Errorf("%s: the bar at %d is not transparent", name, y)
			}
		}
	}
}

func TestStickerMovesIfItsSourceDoes(t *testing.T) {
	tool := ffmpeg(t)
	for name, test := range map[string]struct {
		source []byte
		frames int
	}{
		"GIF":            {animatedGIF(t, 64, 64, 5), 5},
		"GIF, one frame": {animatedGIF(t, 64, 64, 1), 0},
		"animated PNG":   {generate(t, "a.apng", "-i", "testsrc=d=0.5:s=64x48:r=10", "-f", "apng"), 5},
		"still WebP":     {generate(t, "a.webp", "-i", "testsrc=d=0.1:s=64x48:r=10", "-frames:v", "1"), 0},
	} {
		result, err := tool.Sticker(t.Context(), bytes.NewReader(test.source))
		check(t, err)
		if result.Width != 512 || result.Height != 512 {
			t.Errorf("%s: %d x %d", name, result.Width, result.Height)
		}
		if frames := bytes.Count(contents(t, result), []byte("ANMF")); frames != test.frames {
			t.Errorf("%s: %d frames, want %d", name, frames, test.frames)
		}
	}
}

func TestFrameOfAFilm(t *testing.T) {
	tool := ffmpeg(t)
	source := generate(t, "a.mp4", "-i", "color=c=lime:d=1:s=1280x720:r=10", "-c:v", "libx264", "-pix_fmt", "yuv420p")
	result, err := tool.Frame(t.Context(), bytes.NewReader(source))
	check(t, err)
	if result.Width != 640 || result.Height != 360 || result.Duration != 0 {
		t.Errorf("got %+v", result)
	}
	data := contents(t, result)
	picture, err := jpeg.Decode(bytes.NewReader(data))
	check(t, err)
	if size := picture.Bounds().Size(); size.X != 640 || size.Y != 360 {
		t.Errorf("got %v", size)
	}
	if err = near(picture.At(320, 180), color.NRGBA{0, 255, 0, 255}); err != nil {
		t.Error(err)
	}
	if bytes.Contains(data, []byte(title)) {
		t.Error("metadata of the source is in it")
	}
}

func TestNothingReachesTheDisk(t *testing.T) {
	tool := ffmpeg(t)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	here := names(t, ".")
	film := generate(t, "a.mp4", "-i", "testsrc=d=0.5:s=64x48:r=10")
	for name, convert := range map[string]func() (*transcode.Result, error){
		"voice":   func() (*transcode.Result, error) { return tool.Voice(t.Context(), bytes.NewReader(wav(1))) },
		"GIF":     func() (*transcode.Result, error) { return tool.GIF(t.Context(), bytes.NewReader(film)) },
		"sticker": func() (*transcode.Result, error) { return tool.Sticker(t.Context(), bytes.NewReader(film)) },
		"frame":   func() (*transcode.Result, error) { return tool.Frame(t.Context(), bytes.NewReader(film)) },
	} {
		result, err := convert()
		check(t, err)
		file, ok := result.Data.(*os.File)
		if !ok {
			t.Fatalf("%s: the result is a %T", name, result.Data)
		}
		where, err := os.Readlink(filepath.Join("/proc/self/fd", fdName(file)))
		check(t, err)
		if !strings.HasPrefix(where, "/memfd:") {
			t.Errorf("%s: the result is at %s", name, where)
		}
		check(t, result.Data.Close())
	}
	if found := names(t, temporary); len(found) > 0 {
		t.Errorf("temporary files: %q", found)
	}
	if now := names(t, "."); !slices.Equal(now, here) {
		t.Errorf("the working directory held %q, now %q", here, now)
	}
}

func names(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

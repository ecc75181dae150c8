//go:build linux

package transcode_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/bridge/transcode"
)

func fdName(file *os.File) string { return strconv.Itoa(int(file.Fd())) }

// TestInputCannotMakeFFmpegReadOtherFiles gives it files that name others, each of which works if nothing forbids it.
func TestInputCannotMakeFFmpegReadOtherFiles(t *testing.T) {
	tool := ffmpeg(t)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.wav")
	check(t, os.WriteFile(secret, wav(1), 0o600))
	film := filepath.Join(dir, "secret.ts")
	check(t, os.WriteFile(film, generate(t, "a.ts", "-i", "testsrc=d=1:s=64x64:r=10", "-f", "lavfi", "-i", "sine=d=1"), 0o600))

	concat := "ffconcat version 1.0\nfile '" + secret + "'\n"
	playlist := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + film + "\n#EXT-X-ENDLIST\n"
	// That they do work shows that the test can fail.
	script, list := filepath.Join(dir, "script"), filepath.Join(dir, "list.m3u8")
	check(t, errors.Join(os.WriteFile(script, []byte(concat), 0o600), os.WriteFile(list, []byte(playlist), 0o600)))
	for _, arguments := range [][]string{{"-safe", "0", "-f", "concat", "-i", script}, {"-i", list}} {
		arguments = append([]string{"-nostdin", "-loglevel", "error"}, append(arguments, "-f", "null", "-")...)
		if output, err := exec.Command("ffmpeg", arguments...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", arguments, err, output)
		}
	}

	for name, source := range map[string]string{
		"concat script":      concat,
		"HLS playlist":       playlist,
		"HLS master":         "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n" + list + "\n",
		"HLS with subfile":   strings.Replace(playlist, film, "subfile,,start,0,end,100,,:"+film, 1),
		"HLS with concat":    strings.Replace(playlist, film, "concat:"+film+"|"+film, 1),
		"DASH":               `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="audio/wav"><Representation id="1" bandwidth="1"><BaseURL>` + secret + `</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"SDP":                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
		"SVG":                `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file://` + secret + `"/></svg>`,
		"path":               secret,
		"subtitles":          "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
		"QuickTime redirect": "RTSPtextRTSP://127.0.0.1/a",
	} {
		for kind, convert := range conversions(tool) {
			if _, err := convert(t.Context(), strings.NewReader(source)); !errors.Is(err, transcode.ErrRefused) {
				t.Errorf("%s as %s: got %v", name, kind, err)
			}
		}
	}
}

func conversions(tool *transcode.Tool) map[string]func(context.Context, io.Reader) (*transcode.Result, error) {
	return map[string]func(context.Context, io.Reader) (*transcode.Result, error){
		"voice": tool.Voice, "GIF": tool.GIF, "sticker": tool.Sticker, "frame": tool.Frame,
	}
}

func TestInputCannotMakeFFmpegCallAServer(t *testing.T) {
	tool := ffmpeg(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	called := make(chan struct{})
	go func() {
		if connection, err := listener.Accept(); err == nil {
			_ = connection.Close()
			close(called)
		}
	}()
	playlist := fmt.Sprintf("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://%s/a.ts\n#EXT-X-ENDLIST\n", listener.Addr())
	for kind, convert := range conversions(tool) {
		if _, err := convert(t.Context(), strings.NewReader(playlist)); !errors.Is(err, transcode.ErrRefused) {
			t.Errorf("%s: got %v", kind, err)
		}
	}
	select {
	case <-called:
		t.Error("ffmpeg called the server")
	default:
	}
}

func TestBrokenInputIsRefused(t *testing.T) {
	tool := ffmpeg(t)
	film := generate(t, "a.mp4", "-i", "testsrc=d=1:s=64x64:r=10")
	for name, source := range map[string][]byte{
		"nothing":         nil,
		"text":            []byte("this is neither sound nor a picture"),
		"zeros":           make([]byte, 4096),
		"film, cut off":   film[:len(film)/2], // the index is at the end
		"GIF, only magic": []byte("GIF89a"),
		"PNG, only magic": []byte("\x89PNG\r\n\x1a\n"),
	} {
		for kind, convert := range conversions(tool) {
			if _, err := convert(t.Context(), bytes.NewReader(source)); !errors.Is(err, transcode.ErrRefused) {
				t.Errorf("%s as %s: got %v", name, kind, err)
			}
		}
	}
	if _, err := tool.Voice(t.Context(), bytes.NewReader(film)); !errors.Is(err, transcode.ErrRefused) {
		t.Errorf("a film without sound: got %v", err)
	}
	if _, err := tool.GIF(t.Context(), bytes.NewReader(wav(1))); !errors.Is(err, transcode.ErrRefused) {
		t.Errorf("sound without a picture: got %v", err)
	}
}

func TestPictureBombIsRefused(t *testing.T) {
	tool := ffmpeg(t)
	var bomb bytes.Buffer // some 30 KB
	fast := png.Encoder{CompressionLevel: png.BestSpeed}
	check(t, fast.Encode(&bomb, image.NewPaletted(image.Rect(0, 0, 6500, 6500), color.Palette{color.Black, color.White})))
	if _, err := tool.Sticker(t.Context(), &bomb); !errors.Is(err, transcode.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// endless counts what is read of it.
type endless struct{ count int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.count += int64(len(p))
	return len(p), nil
}

func TestEndlessInput(t *testing.T) {
	var source endless
	_, err := fake(t, "exit 0").Voice(t.Context(), &source)
	if !errors.Is(err, transcode.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if source.count > transcode.MaxInput+1<<20 {
		t.Errorf("%d bytes were read", source.count)
	}
}

func TestInputThatFails(t *testing.T) {
	broken := errors.New("connection lost")
	_, err := fake(t, "exit 0").Voice(t.Context(), io.MultiReader(bytes.NewReader(wav(1)), &failing{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestTooLargeResult(t *testing.T) {
	if _, err := ffmpeg(t).WithLimits(20_000, 0).Voice(t.Context(), bytes.NewReader(wav(20))); !errors.Is(err, transcode.ErrTooLarge) {
		t.Errorf("ffmpeg that obeys: got %v", err)
	}
	if _, err := fake(t, "exec cat /dev/zero >&4").WithLimits(20_000, 0).Voice(t.Context(), bytes.NewReader(wav(1))); !errors.Is(err, transcode.ErrTooLarge) {
		t.Errorf("a program that does not: got %v", err)
	}
}

func TestTimeLimit(t *testing.T) {
	stuck := fake(t, "while :; do :; done").WithLimits(0, 50*time.Millisecond)
	if _, err := stuck.Voice(t.Context(), bytes.NewReader(wav(1))); !errors.Is(err, transcode.ErrTooSlow) {
		t.Errorf("got %v", err)
	}
}

// signal is a reader at its end that tells when somebody comes there.
type signal struct{ reached chan struct{} }

func (s *signal) Read([]byte) (int, error) {
	close(s.reached)
	return 0, io.EOF
}

func TestConversionEndsWithItsContext(t *testing.T) {
	stuck := fake(t, "while :; do :; done")
	ctx, cancel := context.WithCancel(t.Context())
	end := &signal{make(chan struct{})}
	go func() {
		<-end.reached
		cancel()
	}()
	if _, err := stuck.Voice(ctx, io.MultiReader(bytes.NewReader(wav(1)), end)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNoMoreAtOnceThanThereAreSlots(t *testing.T) {
	tool := fake(t, "echo converted >&4")
	done := make(chan error, transcode.Slots)
	var writers []*io.PipeWriter
	for range transcode.Slots {
		reader, writer := io.Pipe()
		writers = append(writers, writer)
		go func() {
			result, err := tool.Voice(testContext, reader)
			if err == nil {
				err = result.Data.Close()
			}
			done <- err
		}()
		_, err := writer.Write([]byte("sound")) // returns when it is read: the slot is taken
		check(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tool.Voice(ctx, &failing{errors.New("read without a slot")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, writer := range writers {
		check(t, writer.Close())
	}
	for range transcode.Slots {
		check(t, <-done)
	}
}

func TestFFmpegGetsNeitherOurEnvironmentNorACoreDump(t *testing.T) {
	t.Setenv("POSTERN_SECRET", "of the daemon")
	// The limits come just after the start, so the script waits for the last of them, which is no part of what it says.
	tool := fake(t, `while [ "$(ulimit -t)" = unlimited ]; do :; done; { env; pwd; ulimit -c; } >&4`)
	result, err := tool.Voice(t.Context(), bytes.NewReader(wav(1)))
	check(t, err)
	said := string(contents(t, result))
	if strings.Contains(said, "POSTERN") || strings.Contains(said, "HOME=") {
		t.Errorf("the environment has %q", said)
	}
	if !strings.HasSuffix(said, "/\n0\n") {
		t.Errorf("the working directory and the size of core dumps are %q", said)
	}
}

func TestErrorsHoldNothingOfTheFile(t *testing.T) {
	tool := fake(t, "echo secret title; echo secret title >&2; exit 69")
	_, err := tool.Voice(t.Context(), bytes.NewReader(wav(1)))
	if !errors.Is(err, transcode.ErrRefused) || !strings.Contains(err.Error(), "69") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

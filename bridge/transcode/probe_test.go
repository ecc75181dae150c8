//go:build linux

package transcode_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/bridge/transcode"
)

var testContext = context.Background()

func TestProbeFindsWhatFFmpegCan(t *testing.T) {
	tool := ffmpeg(t)
	if !tool.CanVoice() || !tool.CanGIF() || !tool.CanSticker() || !tool.CanFrame() {
		t.Errorf("ffmpeg %s cannot do everything", tool.Version())
	}
	if tool.Version() == "" {
		t.Error("no version")
	}
}

func TestWithoutFFmpegNothingWorksAndNothingBreaks(t *testing.T) {
	for _, program := range []string{"", "ffmpeg-that-is-not-there", "/nowhere/ffmpeg"} {
		tool, err := transcode.Probe(t.Context(), program)
		if !errors.Is(err, transcode.ErrNotFound) {
			t.Errorf("%q: got %v", program, err)
		}
		if tool.CanVoice() || tool.CanGIF() || tool.CanSticker() || tool.CanFrame() || tool.Version() != "" {
			t.Errorf("%q can do something", program)
		}
		if _, err = tool.Voice(t.Context(), strings.NewReader("sound")); !errors.Is(err, transcode.ErrUnavailable) {
			t.Errorf("%q: got %v", program, err)
		}
	}
}

func TestProbeRefusesAnotherProgram(t *testing.T) {
	for name, script := range map[string]string{
		"says something else": "#!/bin/sh\necho hello, world",
		"says nothing":        "#!/bin/sh",
		"fails":               "#!/bin/sh\nexit 3",
		"is no program":       "\x00\x01",
	} {
		program := filepath.Join(t.TempDir(), "ffmpeg")
		check(t, os.WriteFile(program, []byte(script), 0o700))
		if tool, err := transcode.Probe(t.Context(), program); err == nil || tool != nil {
			t.Errorf("a program that %s was taken", name)
		} else if errors.Is(err, transcode.ErrNotFound) {
			t.Errorf("a program that %s was not found", name)
		}
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	program := filepath.Join(t.TempDir(), "ffmpeg")
	check(t, os.WriteFile(program, []byte("#!/bin/sh\nwhile :; do :; done"), 0o700))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := transcode.Probe(ctx, program); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestEncodersThatAreMissingAreNotUsed(t *testing.T) {
	program := filepath.Join(t.TempDir(), "ffmpeg")
	check(t, os.WriteFile(program, []byte("#!/bin/sh\necho 'ffmpeg version small'\necho ' A....D libopus  Opus'"), 0o700))
	tool, err := transcode.Probe(t.Context(), program)
	check(t, err)
	if !tool.CanVoice() || tool.CanGIF() || tool.CanSticker() || tool.CanFrame() {
		t.Error("not only voice messages")
	}
	if _, err = tool.GIF(t.Context(), strings.NewReader("GIF89a")); !errors.Is(err, transcode.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestParseEncoders(t *testing.T) {
	const output = "Encoders:\n V..... = Video\n A..... = Audio\n ------\n" +
		" V....D libx264              libx264 H.264 (codec h264)\n VFS... mjpeg                MJPEG\n A....D libopus\n" +
		" S..... srt                  SubRip\n\n X..... other\n V....\n"
	want := []string{"libx264", "mjpeg", "libopus", "srt"}
	if got := transcode.ParseEncoders([]byte(output)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseReport(t *testing.T) {
	const output = "#software: Lavf\n#tb 0: 1/10\n#dimensions 0: 640x480\n0, 0, 0, 1, 1, 0x1\n" +
		"frame=1\nout_time_us=N/A\nprogress=continue\nframe=   7\nout_time_us=700000\nout_time=00:00:00.7\nprogress=end\n"
	width, height, frames, duration := transcode.ParseReport([]byte(output))
	if width != 640 || height != 480 || frames != 7 || duration != 700*time.Millisecond {
		t.Errorf("got %d x %d, %d frames, %v", width, height, frames, duration)
	}
}

func FuzzReports(f *testing.F) {
	f.Add([]byte("#dimensions 0: 640x480\nframe=3\nout_time_us=300000\nprogress=end\n"))
	f.Add([]byte("#dimensions 0: -1x99999999999\nframe=-3\nout_time_us=9223372036854775807"))
	f.Add([]byte("\x00\x00\x00\x08ftyp\x00\x00\x00\x6cmoov\x00\x00\x00\x24mvhd____________\x00\x00\x03\xe8\x00\x00\x07\xd0________"))
	f.Add([]byte("ffmpeg version 7.1 x\n V....D libx264 H.264"))
	f.Fuzz(func(t *testing.T, output []byte) {
		width, height, frames, duration := transcode.ParseReport(output)
		if width < 0 || height < 0 || width >= 1<<16 || height >= 1<<16 || (width == 0) != (height == 0) {
			t.Errorf("%d x %d pixels", width, height)
		}
		if frames < 0 || duration < 0 {
			t.Errorf("%d frames, %v", frames, duration)
		}
		if transcode.FilmDuration(bytes.NewReader(output)) < 0 {
			t.Error("a film of less than no time")
		}
		for _, name := range transcode.ParseEncoders(output) {
			if name == "" || name == "=" || strings.ContainsAny(name, " \n") {
				t.Errorf("an encoder called %q", name)
			}
		}
		if version, ok := transcode.ParseVersion(output); ok == (version == "") || len([]rune(version)) > 64 {
			t.Errorf("version %q, %v", version, ok)
		}
	})
}

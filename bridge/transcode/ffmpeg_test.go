//go:build linux

package transcode_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"postern/bridge/transcode"
)

// Tests with the real ffmpeg fail in CI (CI=true) if it is not there, and say loudly elsewhere that they did not run.
const ffmpegRemedy = "ffmpeg is not installed: apt-get install ffmpeg"

var probe = sync.OnceValues(func() (*transcode.Tool, error) {
	return transcode.Probe(testContext, "ffmpeg")
})

// ffmpeg returns the real one.
func ffmpeg(t testing.TB) *transcode.Tool {
	t.Helper()
	tool, err := probe()
	if errors.Is(err, transcode.ErrNotFound) {
		if os.Getenv("CI") == "true" {
			t.Fatal(ffmpegRemedy)
		}
		t.Skip("!!! NOT RUN: " + ffmpegRemedy)
	}
	check(t, err)
	return tool
}

// fake returns a Tool that runs a shell script instead, once it has told what it can.
func fake(t testing.TB, script string) *transcode.Tool {
	t.Helper()
	program := filepath.Join(t.TempDir(), "ffmpeg")
	check(t, os.WriteFile(program, []byte(`#!/bin/sh
case "$3" in
-version) echo "ffmpeg version fake-1 Copyright" ;;
-encoders) for name in libopus libx264 libwebp libwebp_anim mjpeg; do echo " A....D $name  text"; done ;;
*) `+script+` ;;
esac
`), 0o700))
	tool, err := transcode.Probe(t.Context(), program)
	check(t, err)
	return tool
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contents reads a result to its end and closes it.
func contents(t testing.TB, result *transcode.Result) []byte {
	t.Helper()
	data, err := io.ReadAll(result.Data)
	check(t, errors.Join(err, result.Data.Close()))
	if int64(len(data)) != result.Size {
		t.Errorf("Size is %d, there are %d bytes", result.Size, len(data))
	}
	return data
}

// generate lets ffmpeg make a file of one of its sources, with a title that must not survive.
func generate(t testing.TB, name string, arguments ...string) []byte {
	t.Helper()
	ffmpeg(t)
	path := filepath.Join(t.TempDir(), name)
	arguments = append([]string{"-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi"}, arguments...)
	output, err := exec.Command("ffmpeg", append(arguments, "-metadata", "title="+title, path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	data, err := os.ReadFile(path)
	check(t, err)
	return data
}

const title = "the title is a secret"

// wav is a tone of 440 Hz in two channels of 16 bits.
func wav(seconds float64) []byte {
	const rate = 16000
	var sound bytes.Buffer
	for i := range int(seconds * rate) {
		sample := int16(8000 * math.Sin(2*math.Pi*440*float64(i)/rate))
		_ = binary.Write(&sound, binary.LittleEndian, [2]int16{sample, sample})
	}
	header := []byte("RIFF____WAVEfmt ")
	binary.LittleEndian.PutUint32(header[4:], uint32(36+sound.Len()))
	for _, value := range []any{uint32(16), uint16(1), uint16(2), uint32(rate), uint32(4 * rate), uint16(4), uint16(16)} {
		header, _ = binary.Append(header, binary.LittleEndian, value)
	}
	header = append(header, "data"...)
	header = binary.LittleEndian.AppendUint32(header, uint32(sound.Len()))
	return append(header, sound.Bytes()...)
}

// animatedGIF shows each of the frames for 100 ms: a square that moves. What is around it is transparent.
func animatedGIF(t testing.TB, width, height, frames int) []byte {
	t.Helper()
	var animation gif.GIF
	for i := range frames {
		picture := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Transparent, color.RGBA{255, 0, 0, 255}})
		for y := range height / 2 {
			for x := range width / 2 {
				picture.SetColorIndex((x+4*i)%width, y, 1)
			}
		}
		animation.Image, animation.Delay = append(animation.Image, picture), append(animation.Delay, 10)
		animation.Disposal = append(animation.Disposal, gif.DisposalBackground)
	}
	var buffer bytes.Buffer
	check(t, gif.EncodeAll(&buffer, &animation))
	return buffer.Bytes()
}

// bluePNG is a picture of one colour, half transparent.
func bluePNG(t testing.TB, width, height int) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := 0; i < len(picture.Pix); i += 4 {
		copy(picture.Pix[i:], []byte{0, 0, 255, 128})
	}
	var buffer bytes.Buffer
	check(t, png.Encode(&buffer, picture))
	return buffer.Bytes()
}

// near compares two colours, which lossy encoders change a bit.
func near(got color.Color, want color.NRGBA) error {
	const tolerance = 16
	is := color.NRGBAModel.Convert(got).(color.NRGBA)
	for _, pair := range [][2]uint8{{is.R, want.R}, {is.G, want.G}, {is.B, want.B}, {is.A, want.A}} {
		if difference := int(pair[0]) - int(pair[1]); difference < -tolerance || difference > tolerance {
			return fmt.Errorf("got %v, want %v", is, want)
		}
	}
	return nil
}

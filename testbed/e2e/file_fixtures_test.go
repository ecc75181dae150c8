package e2e_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func randomBytes(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	return content
}

// The beginnings of files that nobody on the way has to play: random bytes follow.
const (
	filmStart      = "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
	recordingStart = "OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00seri\x00\x00\x00\x00crc-\x01\x13OpusHead\x01"
	songStart      = "ID3\x04\x00\x00\x00\x00\x00\x00"
	paperStart     = "%PDF-1.7\n"
	stickerStart   = "RIFF\x00\x00\x01\x00WEBPVP8 "
)

// fileLike returns a file of so many bytes that nothing else in the run has.
func fileLike(start string, size int) []byte {
	return append([]byte(start), randomBytes(size-len(start))...)
}

// noise is a picture that nothing else in the run has.
func noise(width, height int) *image.RGBA {
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	_, _ = rand.Read(picture.Pix)
	for i := 3; i < len(picture.Pix); i += 4 {
		picture.Pix[i] = 0xff // nothing is transparent
	}
	return picture
}

func jpegOf(t *testing.T, width, height int) []byte {
	t.Helper()
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, noise(width, height), nil); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

func pngOf(t *testing.T, width, height int) []byte {
	t.Helper()
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, noise(width, height)); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// gifOf moves.
func gifOf(t *testing.T, width, height int) []byte {
	t.Helper()
	animation := &gif.GIF{}
	for range 5 {
		frame := image.NewPaletted(image.Rect(0, 0, width, height), palette.WebSafe)
		for i, pixel := range randomBytes(len(frame.Pix)) {
			frame.Pix[i] = pixel % byte(len(palette.WebSafe))
		}
		animation.Image, animation.Delay = append(animation.Image, frame), append(animation.Delay, 10)
	}
	var encoded bytes.Buffer
	if err := gif.EncodeAll(&encoded, animation); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// bombSide is the width and height that a bomb claims: decoded, it would take 14 GB.
const bombSide = 60_000

// jpegBomb is a small file that claims to be a huge picture.
func jpegBomb(t *testing.T) []byte {
	t.Helper()
	bomb := jpegOf(t, 64, 64)
	frame := bytes.Index(bomb, []byte{0xff, 0xc0}) // behind it: length and precision, 3 bytes
	binary.BigEndian.PutUint16(bomb[frame+5:], bombSide)
	binary.BigEndian.PutUint16(bomb[frame+7:], bombSide)
	return bomb
}

func pngBomb(t *testing.T) []byte {
	t.Helper()
	bomb := pngOf(t, 64, 64)
	header := bomb[12:29] // the chunk's name and its 13 bytes
	binary.BigEndian.PutUint32(header[4:], bombSide)
	binary.BigEndian.PutUint32(header[8:], bombSide)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(header))
	return bomb
}

// vcardOf is a contact card, as phones write it.
func vcardOf(name, phone string) string {
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nN:;" + name + ";;;\r\nFN:" + name + "\r\nTEL;TYPE=CELL:" + phone + "\r\nEND:VCARD\r\n"
}

// needFFmpeg fails the test in CI if there is no ffmpeg, and skips it elsewhere.
func needFFmpeg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err == nil {
		return
	}
	const remedy = "ffmpeg is not installed: apt-get install ffmpeg"
	if os.Getenv("CI") == "true" {
		t.Fatal(remedy)
	}
	t.Skip("!!! NOT RUN: " + remedy)
}

// soundOf has ffmpeg make a recording of so many seconds, in the container that the extension names.
func soundOf(t *testing.T, extension, seconds string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sound."+extension)
	runFFmpeg(t, nil, "-f", "lavfi", "-i", "sine=duration="+seconds, path)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sound
}

// checkPlayable has ffmpeg decode a whole file.
func checkPlayable(t *testing.T, file []byte) {
	t.Helper()
	runFFmpeg(t, file, "-i", "pipe:", "-f", "null", "-")
}

func runFFmpeg(t *testing.T, input []byte, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-hide_banner", "-v", "error", "-xerror"}, args...)...)
	command.Stdin = bytes.NewReader(input)
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("ffmpeg: %v\n%s", err, output)
	}
}

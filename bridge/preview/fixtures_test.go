package preview_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The files in testdata were made with ffmpeg, of its test picture and tone. What Go can encode is made here.

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	check(t, err)
	return data
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// gradient has no two equal corners.
func gradient(width, height int) *image.RGBA {
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			picture.SetRGBA(x, y, color.RGBA{uint8(x * 255 / width), uint8(y * 255 / height), 128, 255})
		}
	}
	return picture
}

// noise compresses badly. It is the same each time.
func noise(width, height int) *image.RGBA {
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	state := uint32(1)
	for i := range picture.Pix {
		state = state*1664525 + 1013904223
		picture.Pix[i] = uint8(state >> 24)
		if i%4 == 3 {
			picture.Pix[i] = 255
		}
	}
	return picture
}

func jpegOf(t testing.TB, picture image.Image) []byte {
	t.Helper()
	var buffer bytes.Buffer
	check(t, jpeg.Encode(&buffer, picture, nil))
	return buffer.Bytes()
}

func pngOf(t testing.TB, picture image.Image) []byte {
	t.Helper()
	var buffer bytes.Buffer
	check(t, png.Encode(&buffer, picture))
	return buffer.Bytes()
}

// gifOf has frames of one colour each.
func gifOf(t testing.TB, width, height, frames, loops int) []byte {
	t.Helper()
	var pictures []*image.Paletted
	for i := range frames {
		frame := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.White})
		for at := range frame.Pix {
			frame.Pix[at] = uint8(i & 1)
		}
		pictures = append(pictures, frame)
	}
	return gifOfFrames(t, loops, pictures...)
}

// gifOfFrames shows each frame for 100 ms. loops is as in image/gif: -1 for once, 0 for ever.
func gifOfFrames(t testing.TB, loops int, frames ...*image.Paletted) []byte {
	t.Helper()
	animation := gif.GIF{LoopCount: loops, Image: frames, Delay: slices.Repeat([]int{10}, len(frames))}
	var buffer bytes.Buffer
	check(t, gif.EncodeAll(&buffer, &animation))
	return buffer.Bytes()
}

// withOrientation puts an EXIF block with one entry behind the start of a JPEG.
func withOrientation(picture []byte, value byte) []byte {
	const exif = "Exif\x00\x00" +
		"MM\x00\x2a\x00\x00\x00\x08" + // big endian, the first directory follows
		"\x00\x01" + // one entry
		"\x01\x12\x00\x03\x00\x00\x00\x01\x00" // orientation, a short, one of them
	block := exif + string(value) + "\x00\x00" + "\x00\x00\x00\x00"
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+len(block)))
	return slices.Concat(picture[:2], segment, []byte(block), picture[2:])
}

// resized makes a JPEG claim another size, and be progressive if asked for. Its pixels no longer fit.
func resized(t testing.TB, picture []byte, width, height int, progressive bool) []byte {
	t.Helper()
	picture = bytes.Clone(picture)
	frame := bytes.Index(picture, []byte{0xff, 0xc0})
	scan := bytes.Index(picture, []byte{0xff, 0xda})
	if frame < 0 || scan < 0 {
		t.Fatal("no frame or scan header")
	}
	binary.BigEndian.PutUint16(picture[frame+5:], uint16(height))
	binary.BigEndian.PutUint16(picture[frame+7:], uint16(width))
	if progressive {
		picture[frame+1] = 0xc2
		length := int(binary.BigEndian.Uint16(picture[scan+2:]))
		picture[scan+2+length-2] = 0 // the first scan of a progressive picture has the coefficients 0 to 0
	}
	return picture
}

// claimedPNG has a header and the given pixel data, compressed.
func claimedPNG(t testing.TB, width, height int, depth, kind byte, interlaced bool, pixels []byte) []byte {
	t.Helper()
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	header = append(header, depth, kind, 0, 0, 0)
	if interlaced {
		header[len(header)-1] = 1
	}
	var compressed bytes.Buffer
	writer, err := zlib.NewWriterLevel(&compressed, zlib.BestSpeed)
	check(t, err)
	_, err = writer.Write(pixels)
	check(t, err)
	check(t, writer.Close())
	data := []byte("\x89PNG\r\n\x1a\n")
	for _, chunk := range []struct{ name, data string }{
		{"IHDR", string(header)}, {"IDAT", compressed.String()}, {"IEND", ""},
	} {
		data = binary.BigEndian.AppendUint32(data, uint32(len(chunk.data)))
		data = append(data, chunk.name+chunk.data...)
		data = binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE([]byte(chunk.name+chunk.data)))
	}
	return data
}

// claimedGIF makes a GIF of one frame claim another size. Its pixels are too few.
func claimedGIF(t testing.TB, width, height uint16) []byte {
	t.Helper()
	data := gifOf(t, 10, 10, 1, -1)
	const screen, screenHeader = 6, 13
	colours := 3 << (data[10]&7 + 1)
	frame := bytes.IndexByte(data[screenHeader+colours:], 0x2c) + screenHeader + colours
	for _, at := range []int{screen, frame + 5} {
		binary.LittleEndian.PutUint16(data[at:], width)
		binary.LittleEndian.PutUint16(data[at+2:], height)
	}
	return data
}

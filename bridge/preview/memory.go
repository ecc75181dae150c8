package preview

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
)

// check refuses a picture that would take too much memory to decode.
func check(mimeType string, data []byte, config image.Config, maxSide int) error {
	width, height := int64(config.Width), int64(config.Height)
	switch {
	case width < 1 || height < 1:
		return fmt.Errorf("%w: it says that it is %d x %d pixels", ErrBroken, width, height)
	// Each side alone first, so that the products below cannot overflow.
	case width > int64(maxSide) || height > int64(maxSide), width*height > MaxPixels:
		return fmt.Errorf("%w: %d x %d pixels", ErrTooLarge, width, height)
	}
	if need := memoryNeeded(mimeType, data, config); need > MaxMemory {
		return fmt.Errorf("%w: %d x %d pixels of this sort need %d MiB", ErrTooLarge, width, height, need>>20)
	}
	return nil
}

// memoryNeeded estimates, rather too high, how many bytes the decoder will allocate. The figures are read off the
// decoders of the standard library and of golang.org/x/image.
func memoryNeeded(mimeType string, data []byte, config image.Config) int64 {
	pixels := int64(config.Width) * int64(config.Height)
	switch mimeType {
	case "image/jpeg":
		frame, ok := findFrame(data)
		if !ok {
			return MaxMemory + 1 // its size was read, so there is one
		}
		return frame.memory(config)
	case "image/png":
		perPixel := int64(4)
		switch config.ColorModel {
		case color.NRGBA64Model, color.RGBA64Model, color.Gray16Model: // transparent grey becomes NRGBA64
			perPixel = 8
		}
		if interlaced(data) { // the passes are pictures of their own
			perPixel *= 2
		}
		return pixels * perPixel
	case "image/gif":
		return pixels * 2 // palette indices; once more to undo interlacing
	default:
		return pixels * 12 // lossless WebP: 4, once more in each of two transforms
	}
}

func interlaced(png []byte) bool {
	const flag = 28 // the last byte of the header chunk, which is the first
	return len(png) > flag && png[flag] != 0
}

// webpLength is the length that a WebP's container claims.
func webpLength(data []byte) int64 {
	const field = 4 // behind "RIFF"
	if len(data) < field+4 {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(data[field:]))
}

package preview

import (
	"encoding/binary"
	"image"
	"image/color"
)

// jpegFrame is what a JPEG's frame header says about its planes, beside the size.
type jpegFrame struct {
	progressive bool
	components  int64
	// maxH and maxV are the largest sampling factors: the picture is made of units of maxH x maxV blocks.
	maxH, maxV int64
	// blocks is how many blocks all components have in such a unit.
	blocks int64
}

// memory counts the planes and, if the picture is progressive, the coefficients: all of them are kept until the last
// scan, 4 bytes each.
func (f jpegFrame) memory(config image.Config) int64 {
	const (
		side        = 8 // of a block, in pixels
		coefficient = 4
	)
	width, height := int64(config.Width), int64(config.Height)
	across := (width + side*f.maxH - 1) / (side * f.maxH)
	down := (height + side*f.maxV - 1) / (side * f.maxV)
	need := across * down * side * side * f.maxH * f.maxV * f.components
	if f.progressive {
		need += across * down * side * side * f.blocks * coefficient
	}
	if f.components == 4 || config.ColorModel == color.RGBAModel {
		need += width * height * 4 // not YCbCr, so it is converted into a picture of its own
	}
	return need
}

// findFrame looks for the frame header and parses it. The image package does the same, but tells only the size. It has to
// find the same header, so the way from segment to segment is the one of image/jpeg: garbage between segments is passed
// over, and so are fill bytes.
func findFrame(data []byte) (jpegFrame, bool) {
	for rest := skip(data, 2); len(rest) >= 4; {
		marker := rest[1]
		switch {
		case rest[0] != 0xff, marker == 0xff:
			rest = rest[1:]
			continue
		case marker == 0x00, marker >= 0xd0 && marker <= 0xd7: // no length follows
			rest = rest[2:]
			continue
		case marker == 0xd9, marker == 0xda: // the end, or pixels
			return jpegFrame{}, false
		}
		end := min(len(rest), 2+int(binary.BigEndian.Uint16(rest[2:])))
		if marker >= 0xc0 && marker <= 0xc2 {
			return parseFrame(marker, skip(rest[:end], 4))
		}
		rest = rest[max(end, 4):]
	}
	return jpegFrame{}, false
}

func parseFrame(marker byte, segment []byte) (jpegFrame, bool) {
	const (
		fixed        = 6 // precision, height, width, number of components
		perComponent = 3 // id, sampling factors, table
	)
	if len(segment) < fixed {
		return jpegFrame{}, false
	}
	frame := jpegFrame{progressive: marker == 0xc2, components: int64(segment[fixed-1]), maxH: 1, maxV: 1}
	for rest := segment[fixed:]; len(rest) >= perComponent; rest = rest[perComponent:] {
		h, v := int64(rest[1]>>4), int64(rest[1]&0x0f)
		if frame.components == 1 {
			h, v = 1, 1 // the factors of a grey picture mean nothing
		}
		frame.maxH, frame.maxV = max(frame.maxH, h), max(frame.maxV, v)
		frame.blocks += h * v
	}
	return frame, true
}

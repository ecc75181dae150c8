package preview

import (
	"bytes"

	"github.com/gabriel-vasile/mimetype"
)

// animated tells whether a picture has more than one frame, as far as its first bytes show.
func animated(mimeType string, prefix []byte) bool {
	switch mimeType {
	case "image/png":
		return mimetype.Detect(prefix).Is("image/apng")
	case "image/gif":
		return animatedGIF(prefix)
	case "image/webp":
		return animatedWebP(prefix)
	}
	return false
}

// animatedWebP reads the flag of the extended header, which is always the first chunk.
func animatedWebP(prefix []byte) bool {
	const (
		chunk         = 12 // behind "RIFF", a length and "WEBP"
		flags         = chunk + 8
		animationFlag = 1 << 1
	)
	return len(prefix) > flags && bytes.HasPrefix(prefix[chunk:], []byte("VP8X")) && prefix[flags]&animationFlag != 0
}

// animatedGIF looks for a second frame. If the prefix ends before there can be one, the loop extension decides: programs
// write it only into animations.
func animatedGIF(prefix []byte) bool {
	const (
		header      = 13 // with the logical screen descriptor
		screenFlags = 10
		frameFlags  = 8 // within an image descriptor
		frameHeader = 9
		loop        = "\x0bNETSCAPE2.0" // an application extension's first sub-block with its length
	)
	if len(prefix) < header {
		return false
	}
	rest := skip(prefix, header+colorTable(prefix[screenFlags]))
	frames, loops := 0, false
	for len(rest) > 0 {
		switch block := rest[0]; block {
		case 0x2c: // an image descriptor
			if frames++; frames > 1 {
				return true
			}
			if rest = rest[1:]; len(rest) < frameHeader {
				return loops
			}
			// Behind the descriptor: a colour table, the size of LZW codes, the pixels in sub-blocks.
			rest = skipBlocks(skip(rest, frameHeader+colorTable(rest[frameFlags])+1))
		case 0x21: // an extension: a label, sub-blocks
			rest = skip(rest, 2)
			loops = loops || bytes.HasPrefix(rest, []byte(loop))
			rest = skipBlocks(rest)
		default: // the trailer, or garbage
			return false
		}
	}
	return loops
}

// colorTable is the size in bytes of the colour table that the flags of a descriptor announce.
func colorTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

func skip(data []byte, count int) []byte { return data[min(count, len(data)):] }

// skipBlocks passes a chain of sub-blocks, each with its length in front, and the empty one that ends it.
func skipBlocks(data []byte) []byte {
	for len(data) > 0 {
		length := int(data[0])
		if data = skip(data, 1+length); length == 0 {
			break
		}
	}
	return data
}

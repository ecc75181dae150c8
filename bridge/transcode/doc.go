// Package transcode converts sound, animations and stickers with ffmpeg, if the machine has it.
//
// ffmpeg is a large program that parses foreign bytes, so it gets as little as possible: an empty environment, two
// anonymous files in memory, and limits of memory, time and output. Only container formats and codecs that messages
// really hold are open to it: none that refers to other files or to the network, such as playlists. Plain text never
// reaches the disk: input and output are memory files (memfd_create), which ffmpeg can seek in as if they were on one.
// This needs Linux; elsewhere [Probe] returns [ErrUnsupported] and all goes on without conversions.
//
// A memory file counts as memory of the machine, not of the process: up to [MaxInput] and [MaxOutput] for each of the
// [Slots] conversions that run, and the output of each result until it is closed.
//
//	tool, err := transcode.Probe(ctx, "ffmpeg") // a nil tool can nothing, and may be asked
//	if tool.CanVoice() {
//		result, err := tool.Voice(ctx, recording)
//	}
package transcode

import (
	"errors"
	"io"
	"time"
)

const (
	// MaxInput is the largest file, in bytes, that is converted. Our choice: an hour of speech from a phone, three minutes
	// of a WAV recording, and more than any animation that people send.
	MaxInput = 32 << 20
	// MaxOutput is the largest result, in bytes.
	MaxOutput = 32 << 20
	// MaxTime is how long a conversion may take, from the moment when its input is complete.
	MaxTime = time.Minute
	// Slots is how many conversions run at the same time.
	Slots = 2
)

var (
	// ErrNotFound: there is no such program. This is normal: ffmpeg is optional.
	ErrNotFound = errors.New("ffmpeg is not installed")
	// ErrUnsupported: this system cannot hide files from the disk.
	ErrUnsupported = errors.New("conversions need Linux")
	// ErrUnavailable: the program is not there, or was built without the encoder.
	ErrUnavailable = errors.New("no ffmpeg that can convert this")
	// ErrTooLarge: the input or the result is over the limits.
	ErrTooLarge = errors.New("the file is too large to convert")
	// ErrTooSlow: the conversion took longer than [MaxTime].
	ErrTooSlow = errors.New("the conversion took too long")
	// ErrRefused: ffmpeg could not make anything of the input, or needed more memory than it may have. Trying again
	// does not help.
	ErrRefused = errors.New("ffmpeg cannot convert the file")
)

// Result is a converted file.
type Result struct {
	// Data is the file, at its beginning. It is in memory until the caller closes it.
	Data io.ReadSeekCloser
	// Size is in bytes.
	Size int64
	// Width and Height are in pixels, 0 for sound.
	Width, Height int
	// Duration is that of voice messages and films, 0 for stickers and pictures.
	Duration time.Duration
}

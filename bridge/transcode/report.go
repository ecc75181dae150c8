package transcode

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// report is what we read out of ffmpeg's standard output.
type report struct {
	width, height int
	frames        int64
	duration      time.Duration
}

// These bound what is believed of a report: pixels, and frames or microseconds (2^40 are twelve days).
const (
	maxDimension = 1 << 16
	maxNumber    = 1 << 40
)

// parseReport reads the progress reports, of which the last counts ("frame=3", "out_time_us=300000"), and the size from
// the header of the checksum file ("#dimensions 0: 640x480"). What is missing or makes no sense stays 0.
func parseReport(output []byte) (said report) {
	for line := range bytes.Lines(output) {
		line = bytes.TrimSpace(line)
		if value, ok := bytes.CutPrefix(line, []byte("frame=")); ok {
			said.frames = number(value, said.frames)
		} else if value, ok = bytes.CutPrefix(line, []byte("out_time_us=")); ok {
			said.duration = time.Duration(number(value, said.duration.Microseconds())) * time.Microsecond
		} else if value, ok = bytes.CutPrefix(line, []byte("#dimensions 0: ")); ok {
			var width, height int
			if count, _ := fmt.Sscanf(string(value), "%dx%d", &width, &height); count == 2 &&
				min(width, height) > 0 && max(width, height) < maxDimension {
				said.width, said.height = width, height
			}
		}
	}
	return said
}

// number parses a count; what is none leaves the value that was known before. It is "N/A" until there is something.
func number(text []byte, before int64) int64 {
	value, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	if err != nil || value < 0 || value > maxNumber {
		return before
	}
	return value
}

package transcode

import (
	"encoding/binary"
	"io"
	"time"
)

// filmDuration reads how long an MP4 lasts, 0 if that is not where ffmpeg writes it: in the movie header, the first box
// of the index, which "+faststart" puts in front of the pictures. The progress reports do not tell: they lag behind by
// the frames that wait in the encoder.
func filmDuration(film io.ReaderAt) time.Duration {
	const (
		start      = 256 // bytes; boxes in front of the header have some 40
		boxHeader  = 8
		timescale  = 12 // behind version, flags and two times
		headerSize = 20
	)
	data := make([]byte, start)
	count, _ := film.ReadAt(data, 0)
	for data = data[:count]; len(data) >= boxHeader; {
		size, name := int64(binary.BigEndian.Uint32(data)), string(data[4:boxHeader])
		body := data[boxHeader:]
		switch {
		case name == "moov":
			data = body // its first box is next
			continue
		case name == "mvhd" && len(body) >= headerSize && body[0] == 0:
			units, length := binary.BigEndian.Uint32(body[timescale:]), binary.BigEndian.Uint32(body[timescale+4:])
			if units == 0 {
				return 0
			}
			return time.Duration(float64(length) / float64(units) * float64(time.Second))
		case size < boxHeader || size > int64(len(data)):
			return 0
		}
		data = data[size:]
	}
	return 0
}

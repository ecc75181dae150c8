package wire

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"
)

// inflaters holds zlib readers, which own 40 KiB each.
var inflaters sync.Pool

// inflate appends the inflated form of data to buffer, at most limit bytes of it.
func inflate(buffer, data []byte, limit int) ([]byte, error) {
	reader, err := newInflater(bytes.NewReader(data))
	if err != nil {
		return buffer, fmt.Errorf("%w: not zlib", ErrMalformed)
	}
	defer inflaters.Put(reader)
	start := len(buffer)
	for {
		buffer = grow(buffer, 512)
		n, err := reader.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case len(buffer)-start > limit:
			return buffer, fmt.Errorf("%w: stanza inflates to more than %d bytes", ErrTooLarge, limit)
		case errors.Is(err, io.EOF):
			return buffer, nil
		case err != nil:
			return buffer, fmt.Errorf("%w: broken zlib stream", ErrMalformed)
		}
	}
}

func newInflater(source io.Reader) (io.ReadCloser, error) {
	if reader, ok := inflaters.Get().(io.ReadCloser); ok {
		return reader, reader.(zlib.Resetter).Reset(source, nil)
	}
	return zlib.NewReader(source)
}

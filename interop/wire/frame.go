package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	frameHeaderSize = 3 // the length, big endian
	// maxFrame is the largest frame accepted after the handshake: a stanza, its flag byte and the authentication tag.
	// The length field could say 2^24-1.
	maxFrame = MaxStanza + 1 + tagSize
	// growStep bounds what a declared but unsent length can make us allocate at once.
	growStep = 16 << 10
	// maxPooledBuffer keeps rare large frames from staying in memory.
	maxPooledBuffer = 64 << 10
)

// buffers holds scratch space for frames, so that an idle connection owns none.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

// putBuffer takes back a buffer, wherever its owner grew it to.
func putBuffer(holder *[]byte, buffer []byte) {
	if cap(buffer) <= maxPooledBuffer {
		*holder = buffer[:0]
		buffers.Put(holder)
	}
}

// readFrameLength reads the length of the next frame. header is scratch space of frameHeaderSize bytes. The error is
// io.EOF only at the end of the stream between two frames.
func readFrameLength(stream io.Reader, header []byte, limit int) (int, error) {
	if _, err := io.ReadFull(stream, header); err != nil {
		return 0, err
	}
	length := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
	if length > limit {
		return 0, fmt.Errorf("%w: frame of %d bytes, limit %d", ErrTooLarge, length, limit)
	}
	return length, nil
}

// readFramePayload appends that many bytes to buffer, which it returns. It allocates as bytes arrive, not as they are
// announced.
func readFramePayload(stream io.Reader, buffer []byte, length int) ([]byte, error) {
	for length > 0 {
		step := min(length, growStep)
		buffer = grow(buffer, step)
		start := len(buffer)
		buffer = buffer[:start+step]
		if _, err := io.ReadFull(stream, buffer[start:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return buffer, err
		}
		length -= step
	}
	return buffer, nil
}

// grow makes room for n more bytes without changing the length.
func grow(buffer []byte, n int) []byte {
	if cap(buffer)-len(buffer) >= n {
		return buffer
	}
	grown := make([]byte, len(buffer), max(2*cap(buffer), len(buffer)+n))
	copy(grown, buffer)
	return grown
}

// appendFrameHeader appends the length of a frame. Lengths over the field are the caller's mistake.
func appendFrameHeader(buffer []byte, length int) []byte {
	return append(buffer, byte(length>>16), byte(length>>8), byte(length))
}

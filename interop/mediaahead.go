package interop

import "io"

// aheadBuffers is how many chunks of a file are read before they are wanted.
const aheadBuffers = 3

// aheadReader reads a file before it is wanted, in a goroutine of its own, so that decrypting it here and what its reader does
// with it run side by side. It is for one reader, who must stop it.
type aheadReader struct {
	full, free chan []byte
	// err is set before full is closed.
	err     error
	stopped chan struct{}
	ended   chan struct{}

	chunk []byte // what is read from, at the beginning of its buffer's rest
	whole []byte // the buffer that chunk is a part of
}

// readAhead begins at once.
func readAhead(source io.Reader) *aheadReader {
	r := &aheadReader{
		full: make(chan []byte, aheadBuffers), free: make(chan []byte, aheadBuffers),
		stopped: make(chan struct{}), ended: make(chan struct{}),
	}
	for range aheadBuffers {
		r.free <- make([]byte, mediaChunk)
	}
	go r.fill(source)
	return r
}

func (r *aheadReader) fill(source io.Reader) {
	defer close(r.ended)
	defer close(r.full)
	for r.err == nil {
		var buffer []byte
		select {
		case buffer = <-r.free:
		case <-r.stopped:
			r.err = io.ErrClosedPipe
			return
		}
		var n int
		n, r.err = fill(source, buffer)
		r.full <- buffer[:n] // has room for all buffers that there are
	}
}

func (r *aheadReader) Read(p []byte) (int, error) {
	for len(r.chunk) == 0 {
		if r.whole != nil {
			r.free <- r.whole[:cap(r.whole)]
			r.whole = nil
		}
		next, more := <-r.full
		if !more {
			return 0, r.err
		}
		r.whole, r.chunk = next, next
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

// stop returns when the source is not used any more. It does not end a Read of the source that waits. To be called once.
func (r *aheadReader) stop() {
	close(r.stopped)
	<-r.ended
}

package wire

import (
	"context"
	"io"
	"time"
)

// What the tests of this package see of its inside: the pure parts that fuzzing wants without a network.

const MaxFrame = maxFrame

// ReadFrame reads one frame the way a connection does.
func ReadFrame(stream io.Reader, limit int) ([]byte, error) {
	length, err := readFrameLength(stream, make([]byte, frameHeaderSize), limit)
	if err != nil {
		return nil, err
	}
	return readFramePayload(stream, nil, length)
}
func AppendFrame(buffer, payload []byte) []byte {
	return append(appendFrameHeader(buffer, len(payload)), payload...)
}
func Inflate(data []byte, limit int) ([]byte, error) { return inflate(nil, data, limit) }

// Initiator and Responder are the two roles of one handshake.
type Initiator struct{ inner *initiator }
type Responder struct{ inner *responder }

func NewInitiator(static, ephemeral KeyPair, root [32]byte, now time.Time) Initiator {
	return Initiator{newInitiator(static, ephemeral, root, now)}
}

func (i Initiator) Hello() ([]byte, error) { return i.inner.hello() }

// Finish returns the last message and the two transport keys, joined.
func (i Initiator) Finish(answer, payload []byte) ([]byte, []byte, error) {
	last, keys, err := i.inner.finish(context.Background(), answer, func(context.Context) ([]byte, error) { return payload, nil })
	return last, append(keys.clientToServer, keys.serverToClient...), err
}

func NewResponder(static, ephemeral KeyPair, chain []byte) Responder {
	return Responder{newResponder(static, ephemeral, chain)}
}

func (r Responder) Hello(message []byte) ([]byte, error) { return r.inner.hello(message) }

func (r Responder) Finish(message []byte) ([32]byte, []byte, []byte, error) {
	static, payload, keys, err := r.inner.finish(message)
	return static, payload, append(keys.clientToServer, keys.serverToClient...), err
}

package wire

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"math"
	"net"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	// maxMessage is the largest websocket message accepted. Messages are read as a stream, so it costs no memory.
	maxMessage = 16 << 20
	// writeBatch is where WriteNodes starts a new websocket message.
	writeBatch = 64 << 10
)

// Conn is an encrypted chat channel after its handshake. It starts no goroutine and owns no buffer while idle.
//
// ReadNode is for one goroutine at a time; all other methods may be called from anywhere.
type Conn struct {
	socket *websocket.Conn
	// message is the websocket message that is being read, nil between messages.
	message io.Reader
	header  [frameHeaderSize]byte // scratch space of the reader

	readCipher  cipher.AEAD
	readCounter uint64

	// writing holds one token. A channel and not a mutex, so that waiting for it ends with the context.
	writing      chan struct{}
	writeCipher  cipher.AEAD
	writeCounter uint64 // owned by the holder of writing
}

func newConn(socket *websocket.Conn) *Conn {
	socket.SetReadLimit(maxMessage)
	return &Conn{socket: socket, writing: make(chan struct{}, 1)}
}

// secure sets the transport keys. Before it, frames are sent and read in the clear.
func (c *Conn) secure(readKey, writeKey []byte) {
	c.readCipher, c.writeCipher = newCipher(readKey), newCipher(writeKey)
}

// ReadNode waits for the next stanza. The node is the caller's. If ctx ends first, the connection is closed, since part
// of a stanza may have been read. Every error is the end of the connection; errors.Is tells [ErrClosed], and
// [ErrMalformed] or [ErrTooLarge] if the other end broke the rules.
func (c *Conn) ReadNode(ctx context.Context) (*waBinary.Node, error) {
	// The length comes first, so that a connection that waits for a stanza holds no buffer.
	length, err := c.readFrameLength(ctx, maxFrame)
	if err != nil {
		return nil, err
	}
	holder := getBuffer()
	frame, err := c.readFramePayload(ctx, (*holder)[:0], length)
	defer func() { putBuffer(holder, frame) }()
	if err != nil {
		return nil, err
	}
	if c.readCounter > math.MaxUint32 {
		return nil, fmt.Errorf("%w: frame counter used up", ErrClosed)
	}
	nonce := makeNonce(uint32(c.readCounter))
	c.readCounter++
	plaintext, err := c.readCipher.Open(frame[:0], nonce[:], frame, nil)
	if err != nil {
		_ = c.socket.CloseNow()
		return nil, fmt.Errorf("%w: frame not authentic", ErrMalformed)
	}
	node, err := DecodeStanza(plaintext)
	if err != nil {
		_ = c.socket.CloseNow()
	}
	return node, err
}

// readFrame reads one frame of the handshake.
func (c *Conn) readFrame(ctx context.Context, limit int) ([]byte, error) {
	length, err := c.readFrameLength(ctx, limit)
	if err != nil {
		return nil, err
	}
	return c.readFramePayload(ctx, nil, length)
}

func (c *Conn) readFrameLength(ctx context.Context, limit int) (length int, err error) {
	err = c.read(ctx, func(stream io.Reader) error {
		length, err = readFrameLength(stream, c.header[:], limit)
		return err
	})
	return length, err
}

func (c *Conn) readFramePayload(ctx context.Context, buffer []byte, length int) ([]byte, error) {
	err := c.read(ctx, func(stream io.Reader) (err error) {
		buffer, err = readFramePayload(stream, buffer, length)
		return err
	})
	return buffer, err
}

// read calls fn with the connection's bytes. It gives ctx's end to the socket by closing it, rather than by passing ctx
// on, because one websocket message may hold frames of several calls. It closes the connection on every error.
func (c *Conn) read(ctx context.Context, fn func(stream io.Reader) error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.socket.CloseNow() })
	err := fn((*messageStream)(c))
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		return nil
	}
	_ = c.socket.CloseNow()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrMalformed):
		return err
	default:
		return closedError("failed to read", err)
	}
}

// messageStream is the connection's websocket messages as one stream of bytes: frames may span messages.
type messageStream Conn

func (s *messageStream) Read(p []byte) (int, error) {
	for {
		if s.message == nil {
			kind, message, err := s.socket.Reader(context.Background())
			if err != nil {
				return 0, err
			} else if kind != websocket.MessageBinary {
				return 0, fmt.Errorf("%w: text message", ErrMalformed)
			}
			s.message = message
		}
		n, err := s.message.Read(p)
		if errors.Is(err, io.EOF) {
			s.message, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}

// WriteNode sends one stanza. See [Conn.WriteNodes].
func (c *Conn) WriteNode(ctx context.Context, node waBinary.Node) error {
	plaintext, err := EncodeStanza(node)
	if err != nil {
		return err
	}
	return c.WriteStanzas(ctx, plaintext)
}

// WriteNodes sends stanzas in their order with as few websocket messages as fit, which saves system calls. Nothing of
// another writer comes between them. An [ErrEncode] or [ErrTooLarge] means that nothing was sent and the connection is as
// it was. If ctx ends before the turn of this writer comes, nothing was sent; if it ends while bytes are being
// written, the connection is closed. Success means that the bytes were handed to the system, not that they arrived.
func (c *Conn) WriteNodes(ctx context.Context, nodes ...waBinary.Node) error {
	plaintexts := make([][]byte, len(nodes))
	for i, node := range nodes {
		var err error
		if plaintexts[i], err = EncodeStanza(node); err != nil {
			return err
		}
	}
	return c.WriteStanzas(ctx, plaintexts...)
}

// WriteStanzas is [Conn.WriteNodes] for stanzas that [EncodeStanza] made before.
func (c *Conn) WriteStanzas(ctx context.Context, plaintexts ...[]byte) error {
	select {
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	holder := getBuffer()
	buffer := (*holder)[:0]
	defer func() { putBuffer(holder, buffer) }()
	for i, plaintext := range plaintexts {
		if c.writeCounter > math.MaxUint32 {
			return fmt.Errorf("%w: frame counter used up", ErrClosed)
		}
		size := len(plaintext) + tagSize
		buffer = appendFrameHeader(grow(buffer, frameHeaderSize+size), size)
		nonce := makeNonce(uint32(c.writeCounter))
		c.writeCounter++
		buffer = c.writeCipher.Seal(buffer, nonce[:], plaintext, nil)
		if i == len(plaintexts)-1 || len(buffer) >= writeBatch {
			if err := c.write(ctx, buffer); err != nil {
				return err
			}
			buffer = buffer[:0]
		}
	}
	return nil
}

// write sends one websocket message. A message that was cut short cannot be repeated, so every error is the end.
func (c *Conn) write(ctx context.Context, message []byte) error {
	err := c.socket.Write(ctx, websocket.MessageBinary, message)
	if err == nil {
		return nil
	}
	_ = c.socket.CloseNow()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return closedError("failed to write", err)
}

// writeClear sends one frame of the handshake, after a prefix that is not part of it.
func (c *Conn) writeClear(ctx context.Context, prefix, payload []byte) error {
	message := make([]byte, 0, len(prefix)+frameHeaderSize+len(payload))
	message = append(message, prefix...)
	message = append(appendFrameHeader(message, len(payload)), payload...)
	return c.write(ctx, message)
}

// Close tells the other end the code and waits for its answer, for at most ten seconds; with code 0 it just closes.
// A read or write that is under way ends with [ErrClosed]. Closing twice is allowed.
func (c *Conn) Close(code websocket.StatusCode) error {
	var err error
	if code == 0 {
		err = c.socket.CloseNow()
	} else {
		err = c.socket.Close(code, "")
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// closedError says that the connection is no more. The close code of the other end stays visible to
// websocket.CloseStatus.
func closedError(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrClosed, what, err)
}

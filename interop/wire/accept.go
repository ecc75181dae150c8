package wire

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow/socket"
)

// ServerHandshake is what a server needs for the Noise handshake.
type ServerHandshake struct {
	// Static is the server's key, which the certificate chain's leaf is for.
	Static KeyPair
	// CertChain is made by [SignCertChain].
	CertChain []byte
}

// Accept upgrades a request to a chat channel and does the handshake, within [HandshakeTimeout]. It returns the static
// key that the client proved to hold, and the serialized ClientPayload, which is unchecked and at most
// [MaxHandshakeFrame] bytes. On an error the request was answered or its connection closed.
//
// The Origin header is not looked at: no browser speaks this protocol, and whatsmeow names WhatsApp's.
func Accept(w http.ResponseWriter, r *http.Request, handshake ServerHandshake) (conn *Conn, clientStatic [32]byte, payload []byte, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), HandshakeTimeout)
	defer cancel()
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, clientStatic, nil, fmt.Errorf("failed to accept a websocket: %w", err)
	}
	conn = newConn(ws)
	clientStatic, payload, err = conn.shakeAsServer(ctx, handshake)
	if err != nil {
		_ = ws.CloseNow()
		return nil, clientStatic, nil, err
	}
	return conn, clientStatic, payload, nil
}

func (c *Conn) shakeAsServer(ctx context.Context, handshake ServerHandshake) (static [32]byte, payload []byte, err error) {
	if err = c.readConnHeader(ctx); err != nil {
		return static, nil, err
	}
	noise := newResponder(handshake.Static, NewKeyPair(), handshake.CertChain)
	hello, err := c.readFrame(ctx, MaxHandshakeFrame)
	if err != nil {
		return static, nil, fmt.Errorf("failed to read the handshake: %w", err)
	}
	answer, err := noise.hello(hello)
	if err != nil {
		return static, nil, err
	}
	if err = c.writeClear(ctx, nil, answer); err != nil {
		return static, nil, fmt.Errorf("failed to send the handshake: %w", err)
	}
	last, err := c.readFrame(ctx, MaxHandshakeFrame)
	if err != nil {
		return static, nil, fmt.Errorf("failed to read the handshake: %w", err)
	}
	static, payload, keys, err := noise.finish(last)
	if err != nil {
		return static, nil, err
	}
	c.secure(keys.clientToServer, keys.serverToClient)
	return static, payload, nil
}

// readConnHeader reads the client's very first bytes: the protocol's magic and the version of the token dictionary.
func (c *Conn) readConnHeader(ctx context.Context) error {
	header := make([]byte, len(socket.WAConnHeader))
	err := c.read(ctx, func(stream io.Reader) error {
		_, err := io.ReadFull(stream, header)
		return err
	})
	if err != nil {
		return fmt.Errorf("failed to read the handshake: %w", err)
	} else if !bytes.Equal(header, socket.WAConnHeader) {
		return fmt.Errorf("%w: unknown protocol header", ErrHandshake)
	}
	return nil
}

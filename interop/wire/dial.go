package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow/socket"
)

// ClientHandshake is what a client needs for the Noise handshake. All fields but Now must be set.
type ClientHandshake struct {
	// Static is the client's long-lived key.
	Static KeyPair
	// RootKey is the public key that the server's certificate chain must lead to.
	RootKey [32]byte
	// Payload makes the serialized ClientPayload, at most [MaxLoginPayload] bytes. It is called once, and only after
	// the server was found trustworthy. Its error ends the handshake and can be found with errors.Is.
	Payload func(ctx context.Context) ([]byte, error)
	// Now is the clock that certificates are checked against. Default time.Now.
	Now func() time.Time
}

// Dial opens a chat channel to a ws, wss, http or https URL and does the handshake, within [HandshakeTimeout] or ctx if
// that is shorter. ctx has no meaning for the connection afterwards. httpClient may be nil for http.DefaultClient.
//
// errors.Is tells [ErrUntrustedServer] and [ErrHandshake]; anything else came from the network.
func Dial(ctx context.Context, url string, httpClient *http.Client, handshake ClientHandshake) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	ws, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient:      httpClient,
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if response != nil {
			return nil, fmt.Errorf("failed to open the chat channel, HTTP status %d: %w", response.StatusCode, err)
		}
		return nil, fmt.Errorf("failed to open the chat channel: %w", err)
	}
	conn := newConn(ws)
	if err = conn.shakeAsClient(ctx, handshake); err != nil {
		_ = ws.CloseNow()
		return nil, err
	}
	return conn, nil
}

func (c *Conn) shakeAsClient(ctx context.Context, handshake ClientHandshake) error {
	now := time.Now
	if handshake.Now != nil {
		now = handshake.Now
	}
	noise := newInitiator(handshake.Static, NewKeyPair(), handshake.RootKey, now())
	hello, err := noise.hello()
	if err != nil {
		return err
	}
	if err = c.writeClear(ctx, socket.WAConnHeader, hello); err != nil {
		return fmt.Errorf("failed to send the handshake: %w", err)
	}
	answer, err := c.readFrame(ctx, MaxHandshakeFrame)
	if errors.Is(err, ErrTooLarge) {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	} else if err != nil {
		return fmt.Errorf("failed to read the handshake: %w", err)
	}
	last, keys, err := noise.finish(ctx, answer, handshake.Payload)
	if err != nil {
		return err
	}
	if err = c.writeClear(ctx, nil, last); err != nil {
		return fmt.Errorf("failed to send the handshake: %w", err)
	}
	c.secure(keys.serverToClient, keys.clientToServer)
	return nil
}

package interop

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"google.golang.org/protobuf/proto"

	"postern/interop/wire"
)

const (
	// loginTimeout bounds a try to connect, from the dial to the answer to the login.
	loginTimeout = 45 * time.Second
	// maxTokensRefused is how many fresh tokens in a row may be refused before the pauses get long: then it is not the
	// token's age, and asking often would only load both servers. The client never gives up for it, since a clock or a
	// cache of keys that is wrong for a while at the gatekeeper's end refuses everybody's tokens.
	maxTokensRefused = 3
	// replacedPause is the most that a client waits which was replaced by another connection of the same account. Long,
	// since two programs that take the channel from each other in turn serve nobody; not for ever, since the other one may
	// be a program that was just being stopped.
	replacedPause = 15 * time.Minute
)

// errTokenRejected: the gatekeeper refused the identity token; the next login brings a new one.
var errTokenRejected = errors.New("gatekeeper rejected the identity token")

// connect opens a chat channel and logs in. The connection is announced before it returns.
func (r *run) connect() (*connection, error) {
	ctx, cancel := context.WithTimeout(r.ctx, loginTimeout)
	defer cancel()
	client := r.client
	conn, err := wire.Dial(ctx, client.options.Gatekeeper.ChatURL.String(), client.options.HTTPClient, wire.ClientHandshake{
		Static:  wire.KeyPair(client.options.Account.Keys.Noise),
		RootKey: client.options.Gatekeeper.RootKey,
		Payload: client.loginPayload,
		Now:     client.options.Clock.Now,
	})
	if errors.Is(err, wire.ErrUntrustedServer) {
		return nil, fmt.Errorf("%w: %w", ErrUntrustedServer, err)
	} else if err != nil {
		return nil, err
	}
	c := newConnection(r, conn)
	stop := context.AfterFunc(ctx, func() { c.close(fmt.Errorf("no answer to the login: %w", ctx.Err())) })
	defer stop()
	node, err := c.read()
	if err != nil {
		return nil, err
	}
	switch node.Tag {
	case "success":
	case "failure":
		err = parseFailure(node)
	case "stream:error":
		err = parseStreamError(node)
	default:
		err = fmt.Errorf("unexpected %q instead of an answer to the login", node.Tag)
	}
	if err == nil && !stop() {
		err = ctx.Err()
	}
	if err == nil && !r.setConnected(c) {
		err = errStopped
	}
	if err != nil {
		c.close(err)
		return nil, err
	}
	c.startKeepalive()
	r.report(&Connected{})
	r.spawn(func() { c.setUp() })
	r.outbox.connected()
	return c, nil
}

// loginPayload makes the last part of the handshake, with a new token every time.
func (c *Client) loginPayload(ctx context.Context) ([]byte, error) {
	account, err := strconv.ParseUint(c.options.Account.JID.User, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("account %q is not a number", c.options.Account.JID.User)
	}
	token, err := c.options.Tokens.Token(ctx, c.options.Account.UserVisibleID, c.options.Gatekeeper.Audience)
	if err != nil {
		return nil, fmt.Errorf("failed to get an identity token: %w", err)
	}
	product := waWa6.ClientPayload_INTEROP
	if c.options.Gatekeeper.Product == ProductMessenger {
		product = waWa6.ClientPayload_INTEROP_MSGR
	}
	version := c.options.Gatekeeper.ProtocolVersion
	return proto.Marshal(&waWa6.ClientPayload{
		Product: product.Enum(),
		Passive: proto.Bool(true),
		Pull:    proto.Bool(true),
		UserAgent: &waWa6.ClientPayload_UserAgent{
			AppVersion: &waWa6.ClientPayload_UserAgent_AppVersion{
				Primary: proto.Uint32(version[0]), Secondary: proto.Uint32(version[1]), Tertiary: proto.Uint32(version[2]),
			},
		},
		InteropData: &waWa6.ClientPayload_InteropData{
			AccountID:          proto.Uint64(account),
			Token:              []byte(token),
			EnableReadReceipts: proto.Bool(c.options.ReadReceipts != nil && c.options.ReadReceipts()),
		},
	})
}

// parseFailure reads the refusal of a login.
func parseFailure(node *waBinary.Node) error {
	return loginError(intAttr(node, "reason"), attr(node, "message"))
}

// parseStreamError reads why the gatekeeper ends a connection.
func parseStreamError(node *waBinary.Node) error {
	switch attr(child(node, "conflict"), "type") {
	case "replaced":
		return ErrReplaced
	case "device_removed":
		return ErrNotEnlisted
	}
	return loginError(intAttr(node, "code"), "")
}

// loginError gives the meaning of a failure's reason or a stream error's code; see docs/protocol.md.
func loginError(code int, text string) error {
	reason := &StanzaError{Code: code, Text: cut(text, maxErrorText)}
	switch code {
	case 401, 403, 406, 415, 418:
		return fmt.Errorf("%w: %w", ErrNotEnlisted, reason)
	case 405, 409:
		return fmt.Errorf("%w: %w", ErrOutdated, reason)
	case 413, 414:
		return fmt.Errorf("%w: %w", errTokenRejected, reason)
	default:
		return reason
	}
}

// isPermanent tells whether connecting again is pointless.
func isPermanent(err error) bool {
	return errors.Is(err, ErrNotEnlisted) || errors.Is(err, ErrOutdated)
}

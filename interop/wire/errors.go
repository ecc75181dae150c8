package wire

import "errors"

var (
	// ErrUntrustedServer: the server's certificate chain does not lead to the root key, is not valid now, or is not for
	// the key that the server proved. Trying again does not help until the server or the configuration changes.
	ErrUntrustedServer = errors.New("server certificate not trusted")
	// ErrHandshake: the other end did not follow the Noise handshake, or does not hold the key it claims.
	ErrHandshake = errors.New("chat channel handshake failed")
	// ErrMalformed: bytes that are no frame, no stanza or no JID, or that are over one of the limits of this package.
	ErrMalformed = errors.New("malformed data on the chat channel")
	// ErrTooLarge: a stanza or frame is over its limit.
	ErrTooLarge = errors.New("too large for the chat channel")
	// ErrEncode: a node that cannot be coded, such as one with an attribute of an unknown type. Nothing was sent.
	ErrEncode = errors.New("stanza cannot be encoded")
	// ErrClosed: the connection was closed, by either end.
	ErrClosed = errors.New("chat channel closed")
)

package wire

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"google.golang.org/protobuf/proto"
)

const (
	// HandshakeTimeout bounds everything from the websocket request to the last handshake message, on either end.
	HandshakeTimeout = 20 * time.Second
	// MaxHandshakeFrame is the largest handshake message accepted, in bytes. The largest in use is the client's last,
	// with a token of up to 4 kB.
	MaxHandshakeFrame = 16 << 10
	// MaxLoginPayload is the largest login payload that Dial sends.
	MaxLoginPayload = MaxHandshakeFrame - 512
)

// transportKeys are what a finished handshake leaves behind.
type transportKeys struct{ clientToServer, serverToClient []byte }

func (s *symmetricState) transportKeys() transportKeys {
	first, second := s.split(nil)
	return transportKeys{clientToServer: first, serverToClient: second}
}

// initiator is the client's side of one handshake: hello, then finish.
type initiator struct {
	static    KeyPair
	ephemeral KeyPair
	root      [keySize]byte
	now       time.Time
	state     *symmetricState
}

func newInitiator(static, ephemeral KeyPair, root [keySize]byte, now time.Time) *initiator {
	return &initiator{static: static, ephemeral: ephemeral, root: root, now: now, state: newSymmetricState(socket.WAConnHeader)}
}

// hello returns the client's first message.
func (i *initiator) hello() ([]byte, error) {
	i.state.mixHash(i.ephemeral.Pub[:])
	return marshalHandshake(&waWa6.HandshakeMessage{
		ClientHello: &waWa6.HandshakeMessage_ClientHello{Ephemeral: i.ephemeral.Pub[:]},
	})
}

// finish checks the server's message and returns the client's last one. payload is asked for only when the server has
// proved that it holds a key certified by the root, so that nobody else can get at what is in it.
func (i *initiator) finish(ctx context.Context, serverMessage []byte, payload func(context.Context) ([]byte, error)) ([]byte, transportKeys, error) {
	message, err := unmarshalHandshake(serverMessage)
	if err != nil {
		return nil, transportKeys{}, err
	}
	hello := message.GetServerHello()
	ephemeral, err := toKey(hello.GetEphemeral(), "server's ephemeral key")
	if err != nil {
		return nil, transportKeys{}, err
	}
	i.state.mixHash(ephemeral[:])
	if err = i.state.mixSharedSecret(i.ephemeral.Priv, ephemeral); err != nil {
		return nil, transportKeys{}, err
	}
	rawStatic, err := i.state.decrypt(hello.GetStatic())
	if err != nil {
		return nil, transportKeys{}, fmt.Errorf("failed to read the server's key: %w", err)
	}
	static, err := toKey(rawStatic, "server's static key")
	if err != nil {
		return nil, transportKeys{}, err
	}
	if err = i.state.mixSharedSecret(i.ephemeral.Priv, static); err != nil {
		return nil, transportKeys{}, err
	}
	chain, err := i.state.decrypt(hello.GetPayload())
	if err != nil {
		return nil, transportKeys{}, fmt.Errorf("failed to read the server's certificates: %w", err)
	}
	if err = VerifyCertChain(chain, static, i.root, i.now); err != nil {
		return nil, transportKeys{}, err
	}

	encryptedStatic := i.state.encrypt(i.static.Pub[:])
	if err = i.state.mixSharedSecret(i.static.Priv, ephemeral); err != nil {
		return nil, transportKeys{}, err
	}
	login, err := payload(ctx)
	if err != nil {
		return nil, transportKeys{}, fmt.Errorf("failed to make the login payload: %w", err)
	} else if len(login) > MaxLoginPayload {
		return nil, transportKeys{}, fmt.Errorf("%w: login payload of %d bytes, limit %d", ErrTooLarge, len(login), MaxLoginPayload)
	}
	last, err := marshalHandshake(&waWa6.HandshakeMessage{
		ClientFinish: &waWa6.HandshakeMessage_ClientFinish{Static: encryptedStatic, Payload: i.state.encrypt(login)},
	})
	return last, i.state.transportKeys(), err
}

// responder is the server's side of one handshake: hello, then finish.
type responder struct {
	static    KeyPair
	ephemeral KeyPair
	certChain []byte
	state     *symmetricState
}

func newResponder(static, ephemeral KeyPair, certChain []byte) *responder {
	return &responder{static: static, ephemeral: ephemeral, certChain: certChain, state: newSymmetricState(socket.WAConnHeader)}
}

// hello reads the client's first message and returns the server's.
func (r *responder) hello(clientMessage []byte) ([]byte, error) {
	message, err := unmarshalHandshake(clientMessage)
	if err != nil {
		return nil, err
	}
	ephemeral, err := toKey(message.GetClientHello().GetEphemeral(), "client's ephemeral key")
	if err != nil {
		return nil, err
	}
	r.state.mixHash(ephemeral[:])
	r.state.mixHash(r.ephemeral.Pub[:])
	if err = r.state.mixSharedSecret(r.ephemeral.Priv, ephemeral); err != nil {
		return nil, err
	}
	static := r.state.encrypt(r.static.Pub[:])
	if err = r.state.mixSharedSecret(r.static.Priv, ephemeral); err != nil {
		return nil, err
	}
	return marshalHandshake(&waWa6.HandshakeMessage{
		ServerHello: &waWa6.HandshakeMessage_ServerHello{
			Ephemeral: r.ephemeral.Pub[:],
			Static:    static,
			Payload:   r.state.encrypt(r.certChain),
		},
	})
}

// finish reads the client's last message: the static key that it proved to hold, and the login payload.
func (r *responder) finish(clientMessage []byte) (static [keySize]byte, payload []byte, keys transportKeys, err error) {
	message, err := unmarshalHandshake(clientMessage)
	if err != nil {
		return static, nil, keys, err
	}
	rawStatic, err := r.state.decrypt(message.GetClientFinish().GetStatic())
	if err != nil {
		return static, nil, keys, fmt.Errorf("failed to read the client's key: %w", err)
	}
	static, err = toKey(rawStatic, "client's static key")
	if err != nil {
		return static, nil, keys, err
	}
	if err = r.state.mixSharedSecret(r.ephemeral.Priv, static); err != nil {
		return static, nil, keys, err
	}
	payload, err = r.state.decrypt(message.GetClientFinish().GetPayload())
	if err != nil {
		return static, nil, keys, fmt.Errorf("failed to read the login payload: %w", err)
	}
	return static, payload, r.state.transportKeys(), nil
}

func marshalHandshake(message *waWa6.HandshakeMessage) ([]byte, error) {
	data, err := proto.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal handshake message: %w", err)
	}
	return data, nil
}

func unmarshalHandshake(data []byte) (*waWa6.HandshakeMessage, error) {
	if len(data) > MaxHandshakeFrame {
		return nil, fmt.Errorf("%w: handshake message of %d bytes", ErrTooLarge, len(data))
	}
	message := &waWa6.HandshakeMessage{}
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, fmt.Errorf("%w: not a handshake message", ErrHandshake)
	}
	return message, nil
}

func toKey(data []byte, what string) (key [keySize]byte, err error) {
	if len(data) != keySize {
		return key, fmt.Errorf("%w: %s has %d bytes", ErrHandshake, what, len(data))
	}
	return [keySize]byte(data), nil
}

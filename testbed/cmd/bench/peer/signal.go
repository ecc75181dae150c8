package peer

import (
	"context"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/serialize"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/tests" // has the library's own stores in memory
	"go.mau.fi/libsignal/util/keyhelper"
	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	signedKeyID = 1
	// oneTimeKeys is how many prekeys a contact uploads. One is used.
	oneTimeKeys = 3
	// maxRegistrationID is Signal's limit.
	maxRegistrationID = 16380
)

// messageCodec codes Signal messages as protobufs. It holds no state.
var messageCodec = serialize.NewProtoBufSerializer()

// signal is a device's Signal state with one conversation. It is for one goroutine at a time.
type signal struct {
	identity     *identity.KeyPair
	registration uint32
	signedKey    *record.SignedPreKey
	oneTime      []*record.PreKey
	cipher       *session.Cipher
}

func newSignal() (*signal, error) {
	s := &signal{registration: 1 + mathrand.Uint32N(maxRegistrationID)}
	var err error
	if s.identity, err = keyhelper.GenerateIdentityKeyPair(); err != nil {
		return nil, fmt.Errorf("failed to make an identity key: %w", err)
	}
	if s.signedKey, err = keyhelper.GenerateSignedPreKey(s.identity, signedKeyID, messageCodec.SignedPreKeyRecord); err != nil {
		return nil, fmt.Errorf("failed to make a signed prekey: %w", err)
	}
	if s.oneTime, err = keyhelper.GeneratePreKeys(1, oneTimeKeys, messageCodec.PreKeyRecord); err != nil {
		return nil, fmt.Errorf("failed to make prekeys: %w", err)
	}
	preKeys, signedKeys := tests.NewInMemoryPreKey(), tests.NewInMemorySignedPreKey()
	ctx := context.Background() // these stores do not block
	for _, key := range s.oneTime {
		if err = preKeys.StorePreKey(ctx, key.ID().Value, key); err != nil {
			return nil, fmt.Errorf("failed to keep a prekey: %w", err)
		}
	}
	if err = signedKeys.StoreSignedPreKey(ctx, s.signedKey.ID(), s.signedKey); err != nil {
		return nil, fmt.Errorf("failed to keep the signed prekey: %w", err)
	}
	// There is one conversation, so its address means nothing.
	address := protocol.NewSignalAddress("friend", 0)
	builder := session.NewBuilder(tests.NewInMemorySession(messageCodec), preKeys, signedKeys,
		tests.NewInMemoryIdentityKey(s.identity, s.registration), address, messageCodec)
	s.cipher = session.NewCipher(builder, address)
	return s, nil
}

// decrypt returns the padded plain text.
func (s *signal) decrypt(ctx context.Context, first bool, ciphertext []byte) ([]byte, error) {
	if !first {
		message, err := protocol.NewSignalMessageFromBytes(ciphertext, messageCodec.SignalMessage)
		if err != nil {
			return nil, err
		}
		return s.cipher.Decrypt(ctx, message)
	}
	message, err := protocol.NewPreKeySignalMessageFromBytes(
		ciphertext, messageCodec.PreKeySignalMessage, messageCodec.SignalMessage)
	if err != nil {
		return nil, err
	}
	return s.cipher.DecryptMessage(ctx, message)
}

// encrypt takes a padded plain text and returns the enc node's type and content.
func (s *signal) encrypt(ctx context.Context, padded []byte) (kind string, ciphertext []byte, err error) {
	message, err := s.cipher.Encrypt(ctx, padded)
	if err != nil {
		return "", nil, err
	}
	if message.Type() == protocol.PREKEY_TYPE {
		return "pkmsg", message.Serialize(), nil
	}
	return "msg", message.Serialize(), nil
}

// upload is the content of the request that gives the keys to the gatekeeper.
func (s *signal) upload() []waBinary.Node {
	keys := make([]waBinary.Node, len(s.oneTime))
	for i, key := range s.oneTime {
		keys[i] = keyNode("key", key.ID().Value, key.KeyPair().PublicKey())
	}
	signed := keyNode("skey", s.signedKey.ID(), s.signedKey.KeyPair().PublicKey())
	signature := s.signedKey.Signature()
	signed.Content = append(signed.GetChildren(), waBinary.Node{Tag: "signature", Content: signature[:]})
	public := s.identity.PublicKey().PublicKey().PublicKey()
	return []waBinary.Node{
		{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, s.registration)},
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: public[:]},
		{Tag: "list", Content: keys},
		signed,
	}
}

func keyNode(tag string, id uint32, public ecc.ECPublicKeyable) waBinary.Node {
	value := public.PublicKey()
	return waBinary.Node{Tag: tag, Content: []waBinary.Node{
		{Tag: "id", Content: keyID(id)},
		{Tag: "value", Content: value[:]},
	}}
}

// keyID is a prekey's number as stanzas have it: 3 bytes.
func keyID(id uint32) []byte { return binary.BigEndian.AppendUint32(nil, id)[1:] }

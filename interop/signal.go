package interop

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/logger"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/serialize"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/state/store"
)

// djbType marks Curve25519 keys on the wire and in key serializations.
const djbType = ecc.DjbType

// signalMessages codes Signal messages as protobufs. It holds no state.
var signalMessages = serialize.NewProtoBufSerializer()

// errNotUsed: libsignal called a part of its stores that this package never leads to.
var errNotUsed = errors.New("unexpected call by the Signal library")

// init silences libsignal, whose default logger prints to the standard output and whose debug lines hold keys. The logger
// is a global of the library, read without a lock, so it has to be set before any goroutine runs.
func init() {
	var quiet logger.Loggable = quietLogger{}
	logger.Setup(&quiet)
}

type quietLogger struct{}

func (quietLogger) Debug(string, string)   {}
func (quietLogger) Info(string, string)    {}
func (quietLogger) Warning(string, string) {}
func (quietLogger) Error(string, string)   {}
func (quietLogger) Configure(string)       {}

// localIdentity is what sessions need of our own keys. Read-only.
type localIdentity struct {
	pair           *identity.KeyPair
	registrationID uint32
}

func newLocalIdentity(keys *Keys) *localIdentity {
	return &localIdentity{
		pair: identity.NewKeyPair(
			identity.NewKey(ecc.NewDjbECPublicKey(keys.Identity.Pub)),
			ecc.NewDjbECPrivateKey(keys.Identity.Priv),
		),
		registrationID: keys.RegistrationID,
	}
}

// signalStep is libsignal's view of the stores during one step of one session. It hands the record over instead of
// storing it, and only notes what else has to be stored, so that the caller decides when and with what.
//
// Used by one goroutine, which holds the session's lock.
type signalStep struct {
	store   Store
	local   *localIdentity
	record  *record.Session // owned by the holder of the session's lock
	remote  *[32]byte       // the identity key that libsignal wanted saved, nil if none
	address *protocol.SignalAddress
	// storeErr is the store's error, if one was the reason that libsignal failed.
	storeErr error
}

var (
	_ store.Session      = (*signalStep)(nil)
	_ store.PreKey       = (*signalStep)(nil)
	_ store.SignedPreKey = (*signalStep)(nil)
	_ store.IdentityKey  = (*signalStep)(nil)
)

func newSignalStep(local *localIdentity, keys Store, address Address, current *record.Session) *signalStep {
	if current == nil {
		current = record.NewSession(nil, nil)
	}
	// libsignal uses the address only to name it in errors and to hand it back to the stores.
	return &signalStep{store: keys, local: local, record: current, address: protocol.NewSignalAddress(address.User, uint32(address.Device))}
}

func (s *signalStep) builder() *session.Builder {
	return session.NewBuilder(s, s, s, s, s.address, signalMessages)
}

func (s *signalStep) cipher() *session.Cipher {
	return session.NewCipherFromSession(s.address, s, s, s, signalMessages.PreKeySignalMessage, signalMessages.SignalMessage)
}

func (s *signalStep) LoadSession(context.Context, *protocol.SignalAddress) (*record.Session, error) {
	return s.record, nil
}

func (s *signalStep) StoreSession(_ context.Context, _ *protocol.SignalAddress, changed *record.Session) error {
	s.record = changed
	return nil
}

func (s *signalStep) GetIdentityKeyPair() *identity.KeyPair { return s.local.pair }

func (s *signalStep) GetLocalRegistrationID() uint32 { return s.local.registrationID }

// IsTrustedIdentity trusts on first use and on every use: a changed key is shown to the user and never blocks.
func (s *signalStep) IsTrustedIdentity(context.Context, *protocol.SignalAddress, *identity.Key) (bool, error) {
	return true, nil
}

func (s *signalStep) SaveIdentity(_ context.Context, _ *protocol.SignalAddress, key *identity.Key) error {
	public := key.PublicKey().PublicKey()
	s.remote = &public
	return nil
}

func (s *signalStep) LoadPreKey(ctx context.Context, id uint32) (*record.PreKey, error) {
	key, err := s.store.LoadPreKey(ctx, id)
	if err != nil {
		s.storeErr = fmt.Errorf("failed to load prekey %d: %w", id, err)
		return nil, s.storeErr
	} else if key == nil {
		return nil, nil
	}
	return record.NewPreKey(key.ID, toECKeyPair(key.KeyPair), nil), nil
}

func (s *signalStep) LoadSignedPreKey(ctx context.Context, id uint32) (*record.SignedPreKey, error) {
	if id == 0 {
		return nil, nil // for the store, 0 means the newest
	}
	key, err := s.store.LoadSignedPreKey(ctx, id)
	if err != nil {
		s.storeErr = fmt.Errorf("failed to load signed prekey %d: %w", id, err)
		return nil, s.storeErr
	} else if key == nil {
		return nil, nil
	}
	return record.NewSignedPreKey(key.ID, key.Created.Unix(), toECKeyPair(key.KeyPair), key.Signature, nil), nil
}

func toECKeyPair(pair KeyPair) *ecc.ECKeyPair {
	return ecc.NewECKeyPair(ecc.NewDjbECPublicKey(pair.Pub), ecc.NewDjbECPrivateKey(pair.Priv))
}

// The rest of libsignal's store interfaces is for its own higher level, which is not used here.

func (s *signalStep) GetSubDeviceSessions(context.Context, string) ([]uint32, error) {
	return nil, errNotUsed
}

func (s *signalStep) ContainsSession(context.Context, *protocol.SignalAddress) (bool, error) {
	return false, errNotUsed
}

func (s *signalStep) DeleteSession(context.Context, *protocol.SignalAddress) error { return errNotUsed }

func (s *signalStep) DeleteAllSessions(context.Context) error { return errNotUsed }

func (s *signalStep) StorePreKey(context.Context, uint32, *record.PreKey) error { return errNotUsed }

func (s *signalStep) ContainsPreKey(context.Context, uint32) (bool, error) { return false, errNotUsed }

func (s *signalStep) RemovePreKey(context.Context, uint32) error { return errNotUsed }

func (s *signalStep) LoadSignedPreKeys(context.Context) ([]*record.SignedPreKey, error) {
	return nil, errNotUsed
}

func (s *signalStep) StoreSignedPreKey(context.Context, uint32, *record.SignedPreKey) error {
	return errNotUsed
}

func (s *signalStep) ContainsSignedPreKey(context.Context, uint32) (bool, error) {
	return false, errNotUsed
}

func (s *signalStep) RemoveSignedPreKey(context.Context, uint32) error { return errNotUsed }

// storeError is a failure of the store, as opposed to a fault of a message: the message has to be tried again later.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }

func (e *storeError) Unwrap() error { return e.err }

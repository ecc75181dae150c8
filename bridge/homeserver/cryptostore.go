package homeserver

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// cryptoStore is mautrix' store of a device's keys, with these differences:
//
//   - Room keys, of others' messages and of our own, are the bridge's and not a device's: whichever of our devices gets one,
//     it is stored under the bot's, and the bot decrypts with it.
//   - A room that needs a new session needs one for each of our devices in it.
//   - The signature of the own device is derived and not stored.
//   - It is safe for a database with one connection. In mautrix v0.30.0 two methods take the same two things in opposite order:
//     GetSessions the connection and then the lock of the sessions that are in memory, GetLatestSession and AddSession that
//     lock and then the connection. A key that arrives while another is shared then stops the whole bridge for ever. Each store
//     has its own sessions and its own lock, so what holds the connection in one never waits for another.
type cryptoStore struct {
	*matrix.SQLCryptoStore
	roomKeys     *matrix.SQLCryptoStore // the bot's
	rotations    *rotations
	ownKey       id.Ed25519            // of the own device
	ownSignature map[id.Ed25519]string // of the own device's keys, by signer
	// olmSessions is taken before both. Nobody who holds the connection (within a transaction) may ask for Olm sessions.
	olmSessions sync.Mutex
}

var _ crypto.Store = (*cryptoStore)(nil)

// newCryptoStore makes the bot's store.
func newCryptoStore(
	db *dbutil.Database, log dbutil.DatabaseLogger, account string, user id.UserID, ghosts, pickleKey string,
) *cryptoStore {
	store := matrix.NewSQLCryptoStore(db, log, account, user, ghosts, pickleKey)
	return &cryptoStore{SQLCryptoStore: store, roomKeys: store, rotations: &rotations{seed: maphash.MakeSeed()}}
}

// of makes the store of a contact, which shares what it can with the bot's.
func (s *cryptoStore) of(user id.UserID) *cryptoStore {
	store := &crypto.SQLCryptoStore{DB: s.DB, AccountID: user.String(), PickleKey: s.PickleKey}
	store.InitFields()
	return &cryptoStore{
		SQLCryptoStore: &matrix.SQLCryptoStore{SQLCryptoStore: store, UserID: s.UserID, GhostIDFormat: s.GhostIDFormat},
		roomKeys:       s.roomKeys,
		rotations:      s.rotations,
	}
}

// rotations count how often the sessions of rooms were dropped, so that whoever makes a new one sees that it is outdated already.
// Rooms share counters: a change too many costs another session, one too few a message that a new device cannot read.
type rotations struct {
	seed   maphash.Seed
	counts [256]atomic.Uint64
}

func (r *rotations) of(room id.RoomID) *atomic.Uint64 {
	return &r.counts[maphash.String(r.seed, string(room))%uint64(len(r.counts))]
}

// RemoveOutboundGroupSession implements crypto.Store: all of our devices begin a new session in the room.
func (s *cryptoStore) RemoveOutboundGroupSession(ctx context.Context, room id.RoomID) error {
	s.rotations.of(room).Add(1)
	_, err := s.DB.Exec(ctx, "DELETE FROM crypto_megolm_outbound_session WHERE room_id=$1", room)
	return err
}

// PutGroupSession implements crypto.Store.
func (s *cryptoStore) PutGroupSession(ctx context.Context, session *crypto.InboundGroupSession) error {
	return s.roomKeys.PutGroupSession(ctx, session)
}

// GetGroupSession implements crypto.Store.
func (s *cryptoStore) GetGroupSession(ctx context.Context, room id.RoomID, session id.SessionID) (*crypto.InboundGroupSession, error) {
	return s.roomKeys.GetGroupSession(ctx, room, session)
}

// RedactGroupSession implements crypto.Store.
func (s *cryptoStore) RedactGroupSession(ctx context.Context, room id.RoomID, session id.SessionID, reason string) error {
	return s.roomKeys.RedactGroupSession(ctx, room, session, reason)
}

// RedactGroupSessions implements crypto.Store.
func (s *cryptoStore) RedactGroupSessions(
	ctx context.Context, room id.RoomID, sender id.SenderKey, reason string,
) ([]id.SessionID, error) {
	return s.roomKeys.RedactGroupSessions(ctx, room, sender, reason)
}

// PutWithheldGroupSession implements crypto.Store.
func (s *cryptoStore) PutWithheldGroupSession(ctx context.Context, content event.RoomKeyWithheldEventContent) error {
	return s.roomKeys.PutWithheldGroupSession(ctx, content)
}

// GetWithheldGroupSession implements crypto.Store.
func (s *cryptoStore) GetWithheldGroupSession(
	ctx context.Context, room id.RoomID, session id.SessionID,
) (*event.RoomKeyWithheldEventContent, error) {
	return s.roomKeys.GetWithheldGroupSession(ctx, room, session)
}

// GetSignaturesForKeyBy implements crypto.Store.
func (s *cryptoStore) GetSignaturesForKeyBy(
	ctx context.Context, user id.UserID, key id.Ed25519, signer id.UserID,
) (map[id.Ed25519]string, error) {
	if key == s.ownKey && user == signer {
		return s.ownSignature, nil
	}
	return s.SQLCryptoStore.GetSignaturesForKeyBy(ctx, user, key, signer)
}

// GetSessions implements crypto.Store.
func (s *cryptoStore) GetSessions(ctx context.Context, key id.SenderKey) (crypto.OlmSessionList, error) {
	s.olmSessions.Lock()
	defer s.olmSessions.Unlock()
	return s.SQLCryptoStore.GetSessions(ctx, key)
}

// GetLatestSession implements crypto.Store.
func (s *cryptoStore) GetLatestSession(ctx context.Context, key id.SenderKey) (*crypto.OlmSession, error) {
	s.olmSessions.Lock()
	defer s.olmSessions.Unlock()
	return s.SQLCryptoStore.GetLatestSession(ctx, key)
}

// AddSession implements crypto.Store.
func (s *cryptoStore) AddSession(ctx context.Context, key id.SenderKey, session *crypto.OlmSession) error {
	s.olmSessions.Lock()
	defer s.olmSessions.Unlock()
	return s.SQLCryptoStore.AddSession(ctx, key, session)
}

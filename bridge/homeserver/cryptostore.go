package homeserver

import (
	"context"
	"sync"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"
)

// cryptoStore is mautrix' store of encryption keys, made safe for a database with one connection. In mautrix v0.30.0 two
// methods take the same two things in opposite order: GetSessions the connection and then the lock of the sessions that are in
// memory, GetLatestSession and AddSession that lock and then the connection. A key that arrives while another is shared then
// stops the whole bridge for ever.
type cryptoStore struct {
	*matrix.SQLCryptoStore
	// olmSessions is taken before both. Nobody who holds the connection (within a transaction) may ask for Olm sessions.
	olmSessions sync.Mutex
}

var _ crypto.Store = (*cryptoStore)(nil)

func newCryptoStore(
	db *dbutil.Database, log dbutil.DatabaseLogger, account string, user id.UserID, ghosts, pickleKey string,
) *cryptoStore {
	return &cryptoStore{SQLCryptoStore: matrix.NewSQLCryptoStore(db, log, account, user, ghosts, pickleKey)}
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

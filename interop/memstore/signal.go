package memstore

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"postern/interop"
)

// preKey is a one-time prekey and whether it was given out.
type preKey struct {
	interop.PreKey
	sent bool
	// stored is set of keys that were stored as sent.
	stored time.Time
}

// LoadSession implements [interop.SessionStore].
func (s *Store) LoadSession(ctx context.Context, address interop.Address) (session []byte, err error) {
	err = s.locked(ctx, func() error {
		session = bytes.Clone(s.sessions[address])
		return nil
	})
	return session, err
}

// SaveSession implements [interop.SessionStore].
func (s *Store) SaveSession(ctx context.Context, address interop.Address, session []byte) error {
	return s.locked(ctx, func() error {
		put(s, s.sessions, address, session)
		return nil
	})
}

// DeleteSession implements [interop.SessionStore].
func (s *Store) DeleteSession(ctx context.Context, address interop.Address) error {
	return s.locked(ctx, func() error {
		drop(s, s.sessions, address)
		return nil
	})
}

// LoadIdentity implements [interop.SessionStore].
func (s *Store) LoadIdentity(ctx context.Context, address interop.Address) (key [32]byte, ok bool, err error) {
	err = s.locked(ctx, func() error {
		key, ok = s.identities[address]
		return nil
	})
	return key, ok, err
}

// SaveIdentity implements [interop.SessionStore].
func (s *Store) SaveIdentity(ctx context.Context, address interop.Address, key [32]byte) error {
	return s.locked(ctx, func() error {
		put(s, s.identities, address, key)
		return nil
	})
}

// SetIdentityTold implements [interop.SessionStore].
func (s *Store) SetIdentityTold(ctx context.Context, address interop.Address, told bool) error {
	return s.locked(ctx, func() error {
		if _, known := s.identities[address]; !known {
			return nil
		} else if told {
			drop(s, s.untold, address)
		} else {
			put(s, s.untold, address, struct{}{})
		}
		return nil
	})
}

// UntoldIdentities implements [interop.SessionStore].
func (s *Store) UntoldIdentities(ctx context.Context) (untold []interop.Address, err error) {
	err = s.locked(ctx, func() error {
		untold = slices.Collect(maps.Keys(s.untold))
		return nil
	})
	return untold, err
}

// LastPreKeyID implements [interop.PreKeyStore].
func (s *Store) LastPreKeyID(ctx context.Context) (id uint32, err error) {
	err = s.locked(ctx, func() error {
		id = s.lastPreKeyID
		return nil
	})
	return id, err
}

// AddPreKeys implements [interop.PreKeyStore].
func (s *Store) AddPreKeys(ctx context.Context, keys []interop.PreKey, sent bool) error {
	return s.locked(ctx, func() error {
		last := s.lastPreKeyID
		s.undo = append(s.undo, func() { s.lastPreKeyID = last })
		var stored time.Time
		if sent {
			stored = s.now()
		}
		for _, key := range keys {
			put(s, s.preKeys, key.ID, preKey{PreKey: key, sent: sent, stored: stored})
			s.lastPreKeyID = max(s.lastPreKeyID, key.ID)
		}
		return nil
	})
}

// PruneSentPreKeys implements [interop.PreKeyStore].
func (s *Store) PruneSentPreKeys(ctx context.Context, keep int, before time.Time) error {
	return s.locked(ctx, func() error {
		var ids []uint32
		for id, key := range s.preKeys {
			if !key.stored.IsZero() {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		for i, id := range ids {
			if len(ids)-i > keep || s.preKeys[id].stored.Before(before) {
				drop(s, s.preKeys, id)
			}
		}
		return nil
	})
}

// LoadPreKey implements [interop.PreKeyStore].
func (s *Store) LoadPreKey(ctx context.Context, id uint32) (key *interop.PreKey, err error) {
	err = s.locked(ctx, func() error {
		if found, ok := s.preKeys[id]; ok {
			key = &found.PreKey
		}
		return nil
	})
	return key, err
}

// RemovePreKey implements [interop.PreKeyStore].
func (s *Store) RemovePreKey(ctx context.Context, id uint32) error {
	return s.locked(ctx, func() error {
		drop(s, s.preKeys, id)
		return nil
	})
}

// UnsentPreKeys implements [interop.PreKeyStore].
func (s *Store) UnsentPreKeys(ctx context.Context) (unsent []interop.PreKey, err error) {
	err = s.locked(ctx, func() error {
		for _, key := range s.preKeys {
			if !key.sent {
				unsent = append(unsent, key.PreKey)
			}
		}
		return nil
	})
	slices.SortFunc(unsent, func(a, b interop.PreKey) int { return cmp.Compare(a.ID, b.ID) })
	return unsent, err
}

// MarkPreKeysUploaded implements [interop.PreKeyStore].
func (s *Store) MarkPreKeysUploaded(ctx context.Context, upTo uint32) error {
	return s.locked(ctx, func() error {
		for id, key := range s.preKeys {
			if id <= upTo && !key.sent {
				key.sent = true
				put(s, s.preKeys, id, key)
			}
		}
		return nil
	})
}

// AddSignedPreKey implements [interop.PreKeyStore].
func (s *Store) AddSignedPreKey(ctx context.Context, key interop.SignedPreKey) error {
	return s.locked(ctx, func() error {
		put(s, s.signedPreKeys, key.ID, key)
		return nil
	})
}

// LoadSignedPreKey implements [interop.PreKeyStore].
func (s *Store) LoadSignedPreKey(ctx context.Context, id uint32) (key *interop.SignedPreKey, err error) {
	err = s.locked(ctx, func() error {
		if id == 0 {
			id = s.newestSignedPreKey()
		}
		if found, ok := s.signedPreKeys[id]; ok {
			key = &found
		}
		return nil
	})
	return key, err
}

// RemoveSignedPreKeys implements [interop.PreKeyStore].
func (s *Store) RemoveSignedPreKeys(ctx context.Context, before time.Time) error {
	return s.locked(ctx, func() error {
		var successor uint32 // the last that was there before the time
		for id, key := range s.signedPreKeys {
			if key.Created.Before(before) {
				successor = max(successor, id)
			}
		}
		for id := range s.signedPreKeys {
			if id < successor {
				drop(s, s.signedPreKeys, id)
			}
		}
		return nil
	})
}

func (s *Store) newestSignedPreKey() uint32 {
	if len(s.signedPreKeys) == 0 {
		return 0
	}
	return slices.Max(slices.Collect(maps.Keys(s.signedPreKeys)))
}

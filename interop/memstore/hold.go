package memstore

import (
	"context"

	"go.mau.fi/whatsmeow/types"
)

// IsHeld implements [interop.HoldStore].
func (s *Store) IsHeld(ctx context.Context, contact types.JID) (held bool, err error) {
	err = s.locked(ctx, func() error {
		held = s.held[contact.ToNonAD()]
		return nil
	})
	return held, err
}

// SetHeld implements [interop.HoldStore].
func (s *Store) SetHeld(ctx context.Context, contact types.JID, held bool) error {
	return s.locked(ctx, func() error {
		put(s, s.held, contact.ToNonAD(), held)
		return nil
	})
}

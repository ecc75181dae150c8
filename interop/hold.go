package interop

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/types"
)

// A contact whose identity key changes is held if the user wants that ([Options.HoldOnNewKey]): nothing is encrypted for
// the new key until the user agrees to it. It is noted in the transaction that stores the key, and looked up in the one that
// encrypts, so no message slips through between the two, and a restart changes nothing. What waits stays in the outbox.

var (
	// errHeldBack: the user has to agree to the contact's new identity key first.
	errHeldBack = errors.New("the user has not agreed to the contact's new identity key")
	// errAgreed ends a connection on which contacts asked for messages that were held back. They ask again on the next.
	errAgreed = errors.New("the user agreed to a new identity key, what was asked for meanwhile is wanted now")
)

// Agree lets messages to a contact go that wait because of a new identity key. Must not be called within a transaction of the
// store.
func (c *Client) Agree(ctx context.Context, contact types.JID) error {
	contact = contact.ToNonAD()
	if err := c.options.Store.SetHeld(ctx, contact, false); err != nil {
		return fmt.Errorf("failed to let a contact's messages go: %w", err)
	}
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current != nil {
		current.outbox.agreed(contact)
	}
	return nil
}

// distrust notes that messages to the owner of a device have to wait, within the caller's transaction, if the user wants that
// of changed keys.
func (s *sessions) distrust(ctx context.Context, device types.JID) error {
	if s.holdOnNewKey == nil {
		return nil
	}
	wanted, err := s.holdOnNewKey(ctx)
	if err != nil {
		return fmt.Errorf("failed to find out whether new identity keys have to be agreed to: %w", err)
	} else if !wanted {
		return nil
	}
	if err = s.store.SetHeld(ctx, device.ToNonAD(), true); err != nil {
		return fmt.Errorf("failed to hold a contact's messages: %w", err)
	}
	return nil
}

// isHeld tells whether a contact's messages wait, asking the store once for each contact.
func (r *encryption) isHeld(ctx context.Context, store HoldStore, contact types.JID) (bool, error) {
	if held, known := r.held[contact]; known {
		return held, nil
	}
	held, err := store.IsHeld(ctx, contact)
	if err != nil {
		return false, fmt.Errorf("failed to find out whether a contact's messages wait: %w", err)
	}
	if r.held == nil {
		r.held = make(map[types.JID]bool)
	}
	r.held[contact] = held
	return held, nil
}

// holdBack makes the chat of a message wait until the user agrees to the contact's new key.
func (o *outbox) holdBack(message *Outgoing) {
	o.mu.Lock()
	held := o.holdOf(message.Chat)
	if !held.active {
		held.first = message.Seq
	} else if held.timer != nil {
		held.timer.Stop()
	}
	held.first = min(held.first, message.Seq)
	held.active, held.waiting, held.untrusted = true, true, true
	tell := held.mustTell(message)
	o.mu.Unlock()
	if tell {
		o.tellHeldBack(message)
	}
}

// mustTell tells whether the handler has to hear that a message waits for the user, and notes that it did: once in a run for
// each message. Callers hold outbox.mu.
func (h *hold) mustTell(message *Outgoing) bool {
	if h == nil || !h.untrusted || message.Seq <= h.told {
		return false
	}
	h.told = message.Seq
	return true
}

func (o *outbox) tellHeldBack(message *Outgoing) {
	event := &HeldBack{ID: message.ID, Chat: message.Chat, Ref: message.Ref}
	o.run.queues.add(message.Chat, job{run: func() { o.run.tell(event) }})
}

// agreed lets a chat go on that waited for the user.
func (o *outbox) agreed(contact types.JID) {
	o.mu.Lock()
	if held := o.holds[contact]; held != nil && held.untrusted {
		o.releaseLocked(held)
		delete(o.holds, contact)
		o.wakeLocked()
	}
	asked := o.asked[contact]
	delete(o.asked, contact)
	o.mu.Unlock()
	if connection := o.run.connected(); asked && connection != nil {
		connection.close(errAgreed)
	}
}

// noteAsked remembers that a held contact asked for a message again, which was neither answered nor acknowledged.
func (o *outbox) noteAsked(contact types.JID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asked == nil || len(o.asked) >= maxAnswered {
		o.asked = make(map[types.JID]bool)
	}
	o.asked[contact] = true
}

// onlyHeld tells whether all that waits in the outbox waits for the user.
func (c *Client) onlyHeld(ctx context.Context) (bool, error) {
	waiting, err := c.options.Store.PendingMessages(ctx, 0, sendWindow)
	if err != nil || len(waiting) == sendWindow {
		return false, err
	}
	for _, chat := range distinctChats(waiting) {
		if held, err := c.options.Store.IsHeld(ctx, chat); err != nil || !held {
			return false, err
		}
	}
	return true, nil
}

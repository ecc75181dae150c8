package state

import (
	"context"
	"fmt"
	"sync"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// Mail is one stanza in a device's mailbox.
type Mail struct {
	Seq    int64     // given by the mailbox; the order of delivery
	Device types.JID // the receiving device
	Class  string    // "message", "receipt" or "notification"
	ID     string
	Sender types.JID // the sending device under its account's JID, or the server
	Stanza []byte    // encoded
	Stored int64     // unix seconds
	// Once makes Store drop the mail if the same Sender, ID and Device were stored within Retention.
	Once bool
}

// Mail returns up to limit stanzas that wait for the device with a Seq above after, in order.
func (s *State) Mail(ctx context.Context, device types.JID, after int64, limit int) ([]*Mail, error) {
	rows, err := s.db.Query(ctx, `SELECT seq, class, id, sender, stanza, stored FROM mailbox
		WHERE account=$1 AND device=$2 AND seq>$3 ORDER BY seq LIMIT $4`,
		wire.FormatJID(device.ToNonAD()), device.Device, after, limit)
	return dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*Mail, error) {
		mail := Mail{Device: device}
		var sender string
		err := row.Scan(&mail.Seq, &mail.Class, &mail.ID, &sender, &mail.Stanza, &mail.Stored)
		if err == nil {
			mail.Sender, err = wire.ParseJID(sender)
		}
		if err != nil {
			return nil, fmt.Errorf("failed to read mail: %w", err)
		}
		return &mail, nil
	}, err).AsList()
}

// Waiting counts what waits for the device, by class.
func (s *State) Waiting(ctx context.Context, device types.JID) (map[string]int, error) {
	rows, err := s.db.Query(ctx, `SELECT class, COUNT(*) FROM mailbox WHERE account=$1 AND device=$2 GROUP BY class`,
		wire.FormatJID(device.ToNonAD()), device.Device)
	counts := make(map[string]int, 3)
	return counts, dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (struct{}, error) {
		var class string
		var count int
		err := row.Scan(&class, &count)
		counts[class] = count
		return struct{}{}, err
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
}

// LastMail returns the highest Seq in the device's mailbox, 0 if it is empty.
func (s *State) LastMail(ctx context.Context, device types.JID) (seq int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT COALESCE(MAX(seq), 0) FROM mailbox WHERE account=$1 AND device=$2`,
		wire.FormatJID(device.ToNonAD()), device.Device).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("failed to read mailbox: %w", err)
	}
	return seq, nil
}

// Contacts returns the accounts that exchanged messages with this one, in no particular order.
func (s *State) Contacts(ctx context.Context, account types.JID) ([]types.JID, error) {
	rows, err := s.db.Query(ctx, `SELECT contact FROM contact WHERE account=$1 UNION SELECT account FROM contact WHERE contact=$1`,
		wire.FormatJID(account.ToNonAD()))
	return dbutil.NewRowIterWithError(rows, scanJID, err).AsList()
}

func scanJID(row dbutil.Scannable) (jid types.JID, err error) {
	var text string
	if err = row.Scan(&text); err != nil {
		return jid, err
	}
	return wire.ParseJID(text)
}

// DropExpired forgets mail and accepted ids stored before the time, in unix seconds.
func (s *State) DropExpired(ctx context.Context, before int64) error {
	if _, err := s.db.Exec(ctx, `DELETE FROM mailbox WHERE stored<$1`, before); err != nil {
		return fmt.Errorf("failed to drop expired mail: %w", err)
	}
	if _, err := s.db.Exec(ctx, `DELETE FROM accepted WHERE stored<$1`, before); err != nil {
		return fmt.Errorf("failed to drop expired message ids: %w", err)
	}
	return nil
}

// subscriptions wake the connections of devices that got mail.
type subscriptions struct {
	mu    sync.Mutex
	wakes map[types.JID]chan struct{}
	every func(device types.JID)
}

func newSubscriptions() *subscriptions {
	return &subscriptions{wakes: make(map[types.JID]chan struct{}), every: func(types.JID) {}}
}

// OnMail makes the state call a function after mail was stored for a device, whether somebody subscribed to it or not. The function
// must not wait for anything.
func (s *State) OnMail(stored func(device types.JID)) {
	s.mail.mu.Lock()
	defer s.mail.mu.Unlock()
	s.mail.every = stored
}

// Subscribe returns a channel that holds a value whenever mail may have been stored for the device since it was last
// received from. A later Subscribe for the same device takes over; end gives it up and must be called.
func (s *State) Subscribe(device types.JID) (wake <-chan struct{}, end func()) {
	ch := make(chan struct{}, 1)
	s.mail.mu.Lock()
	s.mail.wakes[device] = ch
	s.mail.mu.Unlock()
	return ch, func() {
		s.mail.mu.Lock()
		if s.mail.wakes[device] == ch {
			delete(s.mail.wakes, device)
		}
		s.mail.mu.Unlock()
	}
}

func (s *subscriptions) wake(devices map[types.JID]struct{}) {
	s.mu.Lock()
	every := s.every
	for device := range devices {
		select {
		case s.wakes[device] <- struct{}{}:
		default: // nobody there, or woken already
		}
	}
	s.mu.Unlock()
	for device := range devices {
		every(device)
	}
}

package database

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

const outgoingPlaintext = "postern_outgoing.plaintext"

// Stored numbers of interop.OutgoingState. They must not follow that type when it changes.
const (
	storedPending = 0
	storedSent    = 1
	storedFailed  = 2
)

// ErrUnknownState: an interop.OutgoingState that this program does not know.
var ErrUnknownState = errors.New("unknown state of an outgoing message")

const selectOutgoing = "SELECT seq, id, chat, plaintext, ref, state, devices, failure, created, draft FROM postern_outgoing "

// Enqueue implements interop.Outbox with one transaction of two queries.
func (s *AccountStore) Enqueue(ctx context.Context, message interop.Outgoing) (added bool, err error) {
	chat := formatJID(message.Chat)
	sealed := s.sealer.Seal(message.Plaintext, outgoingPlaintext, message.ID, chat)
	err = s.atomically(ctx, func(ctx context.Context) error {
		var seq int64
		err := s.db.QueryRow(ctx,
			"UPDATE postern_enlistment SET last_outgoing = last_outgoing + 1 WHERE account = $1 RETURNING last_outgoing",
			s.account).Scan(&seq)
		if err != nil {
			return err
		}
		result, err := s.db.Exec(ctx, `
			INSERT INTO postern_outgoing (account, seq, id, chat, plaintext, ref, state, created, draft)
			VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)
			ON CONFLICT (account, id) DO NOTHING`,
			s.account, seq, message.ID, chat, sealed, message.Ref, toUnix(message.Created), message.Draft)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		added = rows > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("failed to enqueue a message: %w", err)
	}
	return added, nil
}

// PendingMessages implements interop.Outbox with one query.
func (s *AccountStore) PendingMessages(ctx context.Context, after int64, limit int) ([]interop.Outgoing, error) {
	return queryAll(ctx, s.core, "load pending messages", s.scanOutgoing,
		selectOutgoing+"WHERE account = $1 AND state = 0 AND seq > $2 ORDER BY seq LIMIT $3",
		s.account, after, limit)
}

// FindOutgoing implements interop.Outbox with one query.
func (s *AccountStore) FindOutgoing(ctx context.Context, id types.MessageID) (*interop.Outgoing, error) {
	message, err := s.scanOutgoing(s.db.QueryRow(ctx, selectOutgoing+"WHERE account = $1 AND id = $2", s.account, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to load an outgoing message: %w", err)
	}
	return &message, nil
}

// CompleteOutgoing implements interop.Outbox with two queries: the message is for whom the draft was for.
func (s *AccountStore) CompleteOutgoing(ctx context.Context, id types.MessageID, plaintext []byte) error {
	draft, err := s.FindOutgoing(ctx, id)
	if err != nil || draft == nil || draft.Damaged {
		return err
	}
	return s.exec(ctx, "complete an outgoing message", `
		UPDATE postern_outgoing SET plaintext = $3, draft = false
		WHERE account = $1 AND id = $2 AND state = 0 AND draft`,
		s.account, id, s.sealer.Seal(plaintext, outgoingPlaintext, id, formatJID(draft.Chat)))
}

// SetOutgoingSent implements interop.Outbox with one query.
func (s *AccountStore) SetOutgoingSent(ctx context.Context, id types.MessageID, devices []uint16) error {
	return s.exec(ctx, "mark an outgoing message sent",
		"UPDATE postern_outgoing SET state = $3, devices = $4 WHERE account = $1 AND id = $2 AND state = 0",
		s.account, id, storedSent, formatDevices(devices))
}

// SetOutgoingFailed implements interop.Outbox with one query.
func (s *AccountStore) SetOutgoingFailed(ctx context.Context, id types.MessageID, failure string) error {
	return s.exec(ctx, "mark an outgoing message failed", `
		UPDATE postern_outgoing SET state = $3, failure = $4, plaintext = NULL
		WHERE account = $1 AND id = $2 AND state = 0`, s.account, id, storedFailed, failure)
}

// formatDevices writes two bytes for each device, big endian.
func formatDevices(devices []uint16) []byte {
	stored := make([]byte, 0, 2*len(devices))
	for _, device := range devices {
		stored = binary.BigEndian.AppendUint16(stored, device)
	}
	return stored
}

// parseDevices is the inverse of formatDevices.
func parseDevices(stored []byte) (devices []uint16) {
	for ; len(stored) >= 2; stored = stored[2:] {
		devices = append(devices, binary.BigEndian.Uint16(stored))
	}
	return devices
}

// PruneOutgoing implements interop.Outbox with one query, which walks over all messages of the account.
func (s *AccountStore) PruneOutgoing(ctx context.Context, keep int, before time.Time) error {
	return s.exec(ctx, "prune outgoing messages", `
		DELETE FROM postern_outgoing WHERE account = $1 AND state <> 0 AND (created < $2 OR seq <= (
			SELECT seq FROM postern_outgoing WHERE account = $1 AND state <> 0 ORDER BY seq DESC LIMIT 1 OFFSET $3))`,
		s.account, toUnix(before), keep)
}

func (s *AccountStore) scanOutgoing(row dbutil.Scannable) (message interop.Outgoing, err error) {
	var chat string
	var sealed, devices []byte
	var state int
	var created int64
	err = row.Scan(
		&message.Seq, &message.ID, &chat, &sealed, &message.Ref, &state, &devices, &message.Failure, &created,
		&message.Draft)
	if err != nil {
		return message, err
	}
	message.Devices = parseDevices(devices)
	switch state {
	case storedPending:
		message.State = interop.OutgoingPending
	case storedSent:
		message.State = interop.OutgoingSent
	case storedFailed:
		message.State = interop.OutgoingFailed
	default:
		return message, ErrUnknownState
	}
	message.Created = fromUnix(created)
	if message.Chat, err = parseJID(chat); err != nil {
		return message, err
	}
	if sealed != nil {
		message.Plaintext, err = s.openOutgoing(sealed, message.ID, chat)
		if message.Damaged = errors.Is(err, sql.ErrNoRows); message.Damaged {
			err = nil
		}
	}
	return message, err
}

// openOutgoing opens a plain text, which is bound to whom it is for: whoever can write the database must not get it sent to themselves. In
// rows of the first builds it was bound to the id alone; they are forgotten two weeks after they were sent.
func (s *AccountStore) openOutgoing(sealed []byte, id types.MessageID, chat string) ([]byte, error) {
	plaintext, err := s.sealer.Open(sealed, outgoingPlaintext, id, chat)
	if err != nil {
		plaintext, err = s.sealer.Open(sealed, outgoingPlaintext, id)
	}
	return plaintext, s.missingIfDamaged(err, s.account, outgoingPlaintext)
}

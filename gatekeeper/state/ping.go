package state

import (
	"context"
	"fmt"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// Ping is a partner's user who asks a WhatsApp user to turn third-party chats on.
type Ping struct {
	Sender types.JID
	Sent   int64 // unix seconds
}

// AddPing notes a ping, unless there was one of the sender's to the account after the time, or the sender sent as many as most
// to anybody after perDay. It tells whether it was noted. shown is false for a ping that the account does not get to see.
func (s *State) AddPing(ctx context.Context, account, sender types.JID, shown bool, at, after, perDay int64, most int) (bool, error) {
	result, err := s.db.Exec(ctx, `INSERT INTO ping (account, sender, sent, waiting)
		SELECT $1, $2, $3, $7 WHERE (SELECT COUNT(*) FROM ping WHERE sender=$2 AND sent>$5) < $6
		ON CONFLICT (account, sender) DO UPDATE SET sent=excluded.sent, waiting=excluded.waiting WHERE ping.sent<=$4`,
		wire.FormatJID(account.ToNonAD()), wire.FormatJID(sender.ToNonAD()), at, after, perDay, most, shown)
	if err != nil {
		return false, fmt.Errorf("failed to store a ping: %w", err)
	}
	changed, err := result.RowsAffected()
	return changed > 0, err
}

// Pings returns the pings to an account that have no answer yet, the newest first.
func (s *State) Pings(ctx context.Context, account types.JID) ([]Ping, error) {
	rows, err := s.db.Query(ctx, `SELECT sender, sent FROM ping WHERE account=$1 AND waiting ORDER BY sent DESC, sender`, wire.FormatJID(account.ToNonAD()))
	return dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (ping Ping, err error) {
		var sender string
		if err = row.Scan(&sender, &ping.Sent); err == nil {
			ping.Sender, err = wire.ParseJID(sender)
		}
		return ping, err
	}, err).AsList()
}

// AnswerPing notes that a ping has its answer. It still counts against the limits.
func (s *State) AnswerPing(ctx context.Context, account, sender types.JID) error {
	_, err := s.db.Exec(ctx, `UPDATE ping SET waiting=false WHERE account=$1 AND sender=$2`,
		wire.FormatJID(account.ToNonAD()), wire.FormatJID(sender.ToNonAD()))
	if err != nil {
		return fmt.Errorf("failed to note the answer to a ping: %w", err)
	}
	return nil
}

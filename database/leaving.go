package database

import (
	"context"
	"time"
)

// What happens to an enlistment until it is deleted: it lapses, or its user leaves, in steps that each are stored.

// MarkLapsed notes that the gatekeeper does not know the account any more: [Enlisted] becomes [Lapsed]. An enlistment in
// another state is left as it is.
func (e Enlistments) MarkLapsed(ctx context.Context, account AccountID) error {
	return e.exec(ctx, "note that an enlistment lapsed",
		"UPDATE postern_enlistment SET state = $2 WHERE account = $1 AND state = $3", account, Lapsed, Enlisted)
}

// MarkLeaving notes that the user wants out, from whatever state. From here on there is only one way. Errors:
// [ErrNoEnlistment].
func (e Enlistments) MarkLeaving(ctx context.Context, account AccountID) error {
	return e.update(ctx, "UPDATE postern_enlistment SET state = $2 WHERE account = $1", account, Leaving)
}

// MarkAllLeaving is MarkLeaving for all enlistments of a user. A running daemon does the rest. It returns those that it
// concerns, which may be none.
func (e Enlistments) MarkAllLeaving(ctx context.Context, userID string) ([]*Enlistment, error) {
	err := e.exec(ctx, "note that a user leaves", "UPDATE postern_enlistment SET state = $2 WHERE user_id = $1", userID, Leaving)
	if err != nil {
		return nil, err
	}
	return e.OfUser(ctx, userID)
}

// Leaving returns the enlistments whose users want out, with one query. Those whose keys are damaged are left out.
func (e Enlistments) Leaving(ctx context.Context) ([]*Enlistment, error) {
	return queryAll(ctx, e.core, "list enlistments that end", e.scanOthers, selectEnlistment+"WHERE state = $1 ORDER BY created, account", Leaving)
}

// MarkTold notes of one who is leaving that the gatekeeper knows. Errors: [ErrNoEnlistment].
func (e Enlistments) MarkTold(ctx context.Context, account AccountID) error {
	return e.update(ctx, "UPDATE postern_enlistment SET told = $2 WHERE account = $1", account, true)
}

// EraseChats erases what is kept of the account's conversations: sessions, contacts' keys, messages on their way, decisions. Only
// what a farewell takes is left: the account's own keys.
func (e Enlistments) EraseChats(ctx context.Context, account AccountID) error {
	return e.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, table := range []string{"postern_session", "postern_identity", "postern_outgoing", "postern_received", "postern_unfetched", "postern_contact"} {
			if err := e.exec(ctx, "erase conversations", "DELETE FROM "+table+" WHERE account = $1", account); err != nil {
				return err
			}
		}
		return nil
	})
}

// Declare notes that the user declared to be in the EEA. An earlier withdrawal is undone. Errors: [ErrNoEnlistment].
func (e Enlistments) Declare(ctx context.Context, account AccountID, version int, at time.Time) error {
	return e.update(ctx, "UPDATE postern_enlistment SET eea_version = $2, eea_at = $3, eea_withdrawn = 0 WHERE account = $1",
		account, version, toUnix(at))
}

// Withdraw notes that the user withdrew that declaration. Errors: [ErrNoEnlistment].
func (e Enlistments) Withdraw(ctx context.Context, account AccountID, at time.Time) error {
	return e.update(ctx, "UPDATE postern_enlistment SET eea_withdrawn = $2 WHERE account = $1", account, toUnix(at))
}

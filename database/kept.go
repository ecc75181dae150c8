package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
)

const keptMessage = "postern_kept.message"

// Kept holds messages of contacts whom the user has not accepted, sealed, in the order in which they came. All methods take one
// query, unless they say otherwise. JIDs count without their device.
type Kept struct {
	*core
	account AccountID
	sealer  *Sealer
}

// Kept returns the table of an enlistment that was created before.
func (db *Database) Kept(account AccountID) *Kept {
	return &Kept{core: &db.core, account: account, sealer: db.accountSealer(account)}
}

// KeptSize is what is kept, of one contact and of all together.
type KeptSize struct {
	Count, Bytes       int
	AllCount, AllBytes int
}

// Size tells how much is kept.
func (k *Kept) Size(ctx context.Context, jid types.JID) (size KeptSize, err error) {
	err = k.db.QueryRow(ctx, `
		SELECT COALESCE(SUM(CASE WHEN contact = $2 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN contact = $2 THEN size ELSE 0 END), 0),
			COUNT(*), COALESCE(SUM(size), 0)
		FROM postern_kept WHERE account = $1`, k.account, formatJID(jid.ToNonAD())).Scan(&size.Count, &size.Bytes, &size.AllCount, &size.AllBytes)
	if err != nil {
		err = fmt.Errorf("failed to measure what is kept: %w", err)
	}
	return size, err
}

// Put keeps a message of a contact who has a row in [Contacts]. One that is there already stays as it is, unless it is not
// whole: then the new one takes its place. whole is false for a stand-in of a message that could not be decrypted.
func (k *Kept) Put(ctx context.Context, jid types.JID, id types.MessageID, message []byte, whole bool) error {
	contact := formatJID(jid.ToNonAD())
	return k.exec(ctx, "keep a message", `
		INSERT INTO postern_kept (account, contact, id, position, message, whole, size, created)
		VALUES ($1, $2, $3, (SELECT COALESCE(MAX(position), 0) + 1 FROM postern_kept WHERE account = $1 AND contact = $2), $4, $5, $6, $7)
		ON CONFLICT (account, contact, id) DO UPDATE SET message = excluded.message, whole = excluded.whole, size = excluded.size
		WHERE NOT postern_kept.whole`,
		k.account, contact, id, k.sealer.Seal(message, keptMessage, contact, id), whole, len(message), toUnix(k.now()))
}

// Has tells whether a message is kept.
func (k *Kept) Has(ctx context.Context, jid types.JID, id types.MessageID) (has bool, err error) {
	err = k.db.QueryRow(ctx, "SELECT COUNT(*) > 0 FROM postern_kept WHERE account = $1 AND contact = $2 AND id = $3",
		k.account, formatJID(jid.ToNonAD()), id).Scan(&has)
	if err != nil {
		err = fmt.Errorf("failed to look for a kept message: %w", err)
	}
	return has, err
}

// First returns the oldest message of a contact, "" if nothing is kept. The message is nil if it is damaged.
func (k *Kept) First(ctx context.Context, jid types.JID) (id types.MessageID, message []byte, err error) {
	contact := formatJID(jid.ToNonAD())
	var sealed []byte
	err = k.db.QueryRow(ctx, "SELECT id, message FROM postern_kept WHERE account = $1 AND contact = $2 ORDER BY position LIMIT 1",
		k.account, contact).Scan(&id, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	} else if err != nil {
		return "", nil, fmt.Errorf("failed to load a kept message: %w", err)
	}
	message, err = k.sealer.Open(sealed, keptMessage, contact, id)
	if err = k.missingIfDamaged(err, k.account, keptMessage); errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return id, message, err
}

// Delete forgets a message. Deleting what is not there is no error.
func (k *Kept) Delete(ctx context.Context, jid types.JID, id types.MessageID) error {
	return k.exec(ctx, "forget a kept message", "DELETE FROM postern_kept WHERE account = $1 AND contact = $2 AND id = $3",
		k.account, formatJID(jid.ToNonAD()), id)
}

// DeleteAll forgets all of a contact.
func (k *Kept) DeleteAll(ctx context.Context, jid types.JID) error {
	return k.exec(ctx, "forget kept messages", "DELETE FROM postern_kept WHERE account = $1 AND contact = $2",
		k.account, formatJID(jid.ToNonAD()))
}

// Prune forgets the messages that were kept before the time, and counts them as missed, in two queries.
func (k *Kept) Prune(ctx context.Context, before time.Time) error {
	return k.atomically(ctx, func(ctx context.Context) error {
		err := k.exec(ctx, "count old kept messages", `
			UPDATE postern_contact SET missed = missed + (
				SELECT COUNT(*) FROM postern_kept
				WHERE postern_kept.account = postern_contact.account AND postern_kept.contact = postern_contact.contact AND created < $2
			) WHERE account = $1`, k.account, toUnix(before))
		if err != nil {
			return err
		}
		return k.exec(ctx, "forget old kept messages", "DELETE FROM postern_kept WHERE account = $1 AND created < $2", k.account, toUnix(before))
	})
}

// IDs names what is kept, for people: at most limit, in the form contact/id.
func (k *Kept) IDs(ctx context.Context, limit int) ([]string, error) {
	return queryAll(ctx, k.core, "list kept messages", dbutil.ScanSingleColumn[string], `
		SELECT contact || ' ' || id FROM postern_kept WHERE account = $1 ORDER BY contact, position LIMIT $2`, k.account, limit)
}

// keptRow is one message, opened.
type keptRow struct {
	contact, id string
	message     []byte
}

// take seals again, for this account, what another account of the same user kept; the rows belong to this one already.
func (k *Kept) take(ctx context.Context, from *Kept) error {
	rows, err := queryAll(ctx, k.core, "list kept messages", func(row dbutil.Scannable) (kept keptRow, err error) {
		var sealed []byte
		if err = row.Scan(&kept.contact, &kept.id, &sealed); err == nil {
			kept.message, err = from.sealer.Open(sealed, keptMessage, kept.contact, kept.id)
			err = k.missingIfDamaged(err, from.account, keptMessage) // and is found so again when its turn comes
		}
		return kept, err
	}, "SELECT contact, id, message FROM postern_kept WHERE account = $1", from.account)
	if err != nil {
		return err
	}
	for _, row := range rows {
		err = k.exec(ctx, "take a kept message over", "UPDATE postern_kept SET message = $4 WHERE account = $1 AND contact = $2 AND id = $3",
			from.account, row.contact, row.id, k.sealer.Seal(row.message, keptMessage, row.contact, row.id))
		if err != nil {
			return err
		}
	}
	return nil
}

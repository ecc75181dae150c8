package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/puppet"
)

// Contacts is what one user decided about their contacts. Nothing in it is sealed: it holds ids and decisions, no keys. All
// methods take one query; JIDs count without their device.
type Contacts struct {
	*core
	account AccountID
}

// Contacts returns the table of an enlistment that was created before.
func (db *Database) Contacts(account AccountID) *Contacts { return &Contacts{&db.core, account} }

const selectContact = `SELECT contact, request, asked, shown, missed, pinged, wished, blocked, listed, ignored, compared, held
	FROM postern_contact WHERE account = $1 `

// Contact returns what the user decided about a contact. If that is nothing, all fields but the JID are zero.
func (c *Contacts) Contact(ctx context.Context, jid types.JID) (*puppet.Contact, error) {
	jid = jid.ToNonAD()
	contact, err := scanContact(c.db.QueryRow(ctx, selectContact+"AND contact = $2", c.account, formatJID(jid)))
	if errors.Is(err, sql.ErrNoRows) {
		return &puppet.Contact{JID: jid}, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to load a contact: %w", err)
	}
	return contact, nil
}

// All returns all contacts about which the user decided anything.
func (c *Contacts) All(ctx context.Context) ([]*puppet.Contact, error) {
	return queryAll(ctx, c.core, "list contacts", scanContact, selectContact+"ORDER BY contact", c.account)
}

// SetRequest notes what became of a contact's wish to write, if it is still what it was: of two who change it at the same
// time, one finds out that it was too late (false).
func (c *Contacts) SetRequest(ctx context.Context, jid types.JID, was, is puppet.Request) (bool, error) {
	query := `UPDATE postern_contact SET request = $3 WHERE account = $1 AND contact = $2 AND request = $4`
	if was == puppet.NeverAsked {
		query = `INSERT INTO postern_contact (account, contact, request) VALUES ($1, $2, $3)
			ON CONFLICT (account, contact) DO UPDATE SET request = excluded.request WHERE postern_contact.request = $4`
	}
	result, err := c.db.Exec(ctx, query, c.account, formatJID(jid.ToNonAD()), is, was)
	if err != nil {
		return false, fmt.Errorf("failed to note what became of a request: %w", err)
	}
	changed, err := result.RowsAffected()
	return changed > 0, err
}

// Ping notes that the user asks a contact to turn third-party chats on, unless they did so after pause. It tells whether it was
// noted.
func (c *Contacts) Ping(ctx context.Context, jid types.JID, at, pause time.Time) (noted bool, err error) {
	result, err := c.db.Exec(ctx, `
		INSERT INTO postern_contact (account, contact, pinged, wished) VALUES ($1, $2, $3, true)
		ON CONFLICT (account, contact) DO UPDATE SET pinged = excluded.pinged, wished = true WHERE postern_contact.pinged <= $4`,
		c.account, formatJID(jid.ToNonAD()), toUnix(at), toUnix(pause))
	if err != nil {
		return false, fmt.Errorf("failed to note a ping: %w", err)
	}
	changed, err := result.RowsAffected()
	return changed > 0, err
}

// Unping takes back that a contact was asked, which did not work.
func (c *Contacts) Unping(ctx context.Context, jid types.JID) error {
	return c.exec(ctx, "take a ping back", "UPDATE postern_contact SET pinged = 0, wished = false WHERE account = $1 AND contact = $2",
		c.account, formatJID(jid.ToNonAD()))
}

// Grant notes that a contact turned third-party chats on whom the user asked to (true). The pause between pings still counts it.
func (c *Contacts) Grant(ctx context.Context, jid types.JID) (bool, error) {
	result, err := c.db.Exec(ctx, "UPDATE postern_contact SET wished = false WHERE account = $1 AND contact = $2 AND wished", c.account, formatJID(jid.ToNonAD()))
	if err != nil {
		return false, fmt.Errorf("failed to note the answer to a ping: %w", err)
	}
	changed, err := result.RowsAffected()
	return changed > 0, err
}

// IsHeld implements interop.HoldStore with one query.
func (s *AccountStore) IsHeld(ctx context.Context, jid types.JID) (held bool, err error) {
	err = s.db.QueryRow(ctx, "SELECT held FROM postern_contact WHERE account = $1 AND contact = $2", s.account, formatJID(jid.ToNonAD())).
		Scan(&held)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("failed to look whether a contact is held: %w", err)
	}
	return held, nil
}

// SetHeld implements interop.HoldStore with one query.
func (s *AccountStore) SetHeld(ctx context.Context, jid types.JID, held bool) error {
	return s.exec(ctx, "hold a contact", `
		INSERT INTO postern_contact (account, contact, held) VALUES ($1, $2, $3)
		ON CONFLICT (account, contact) DO UPDATE SET held = excluded.held`,
		s.account, formatJID(jid.ToNonAD()), held)
}

func scanContact(row dbutil.Scannable) (*puppet.Contact, error) {
	var contact puppet.Contact
	var jid string
	var asked, pinged int64
	err := row.Scan(&jid, &contact.Request, &asked, &contact.Shown, &contact.Missed, &pinged, &contact.Wished,
		&contact.Blocked, &contact.Listed, &contact.Ignored, &contact.Compared, &contact.Held)
	if err == nil {
		contact.Asked, contact.Pinged = fromUnix(asked), fromUnix(pinged)
		contact.JID, err = parseJID(jid)
	}
	return &contact, err
}

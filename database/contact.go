package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

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

const selectContact = `SELECT contact, request, asked, shown, missed, pinged, wished, blocked, listed, compared, held
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

func scanContact(row dbutil.Scannable) (*puppet.Contact, error) {
	var contact puppet.Contact
	var jid string
	var asked, pinged int64
	err := row.Scan(&jid, &contact.Request, &asked, &contact.Shown, &contact.Missed, &pinged, &contact.Wished,
		&contact.Blocked, &contact.Listed, &contact.Compared, &contact.Held)
	if err == nil {
		contact.Asked, contact.Pinged = fromUnix(asked), fromUnix(pinged)
		contact.JID, err = parseJID(jid)
	}
	return &contact, err
}

package database

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"postern/puppet"
)

// What users decided about blocks and keys. All methods take one query; JIDs count without their device.

// SetBlocked notes what the user wants.
func (c *Contacts) SetBlocked(ctx context.Context, jid types.JID, blocked bool) error {
	return c.setContact(ctx, "note a block", "blocked", jid, blocked)
}

// SetListed notes what the gatekeeper's blocklist says.
func (c *Contacts) SetListed(ctx context.Context, jid types.JID, listed bool) error {
	return c.setContact(ctx, "note what the blocklist says", "listed", jid, listed)
}

// SetIgnored notes whether the contact is on the ignore list of the user's Matrix account.
func (c *Contacts) SetIgnored(ctx context.Context, jid types.JID, ignored bool) error {
	return c.setContact(ctx, "note what the ignore list says", "ignored", jid, ignored)
}

// SetCompared notes for which identity keys the user compared the security code. nil takes the mark away.
func (c *Contacts) SetCompared(ctx context.Context, jid types.JID, keysHash []byte) error {
	return c.setContact(ctx, "note that a security code was compared", "compared", jid, keysHash)
}

// setContact sets a column that is named by a constant.
func (c *Contacts) setContact(ctx context.Context, what, column string, jid types.JID, value any) error {
	return c.exec(ctx, what, fmt.Sprintf(`
		INSERT INTO postern_contact (account, contact, %[1]s) VALUES ($1, $2, $3)
		ON CONFLICT (account, contact) DO UPDATE SET %[1]s = excluded.%[1]s`, column),
		c.account, formatJID(jid.ToNonAD()), value)
}

// Blocks returns the contacts who are blocked or ignored, or were on the gatekeeper's blocklist.
func (c *Contacts) Blocks(ctx context.Context) ([]*puppet.Contact, error) {
	return queryAll(ctx, c.core, "list blocked contacts", scanContact,
		selectContact+"AND (blocked OR listed OR ignored) ORDER BY contact", c.account)
}

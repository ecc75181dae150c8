package database

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"postern/puppet"
)

// Requests are contacts who wrote and whom the user has not accepted. How many there may be is the caller's business.

// Ask notes that a contact wants to write, if they never did before (true). All other contacts are left as they are.
func (c *Contacts) Ask(ctx context.Context, jid types.JID) (bool, error) {
	result, err := c.db.Exec(ctx, `
		INSERT INTO postern_contact (account, contact, request, asked) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, contact) DO UPDATE SET request = excluded.request, asked = excluded.asked
		WHERE postern_contact.request = $5`,
		c.account, formatJID(jid.ToNonAD()), puppet.Asks, toUnix(c.now()), puppet.NeverAsked)
	if err != nil {
		return false, fmt.Errorf("failed to note that a contact asks: %w", err)
	}
	changed, err := result.RowsAffected()
	return changed > 0, err
}

// SetShown notes whether there is a room that was made for a contact's request.
func (c *Contacts) SetShown(ctx context.Context, jid types.JID, shown bool) error {
	return c.exec(ctx, "note that a request is shown", "UPDATE postern_contact SET shown = $3 WHERE account = $1 AND contact = $2",
		c.account, formatJID(jid.ToNonAD()), shown)
}

// CountRequests tells how many contacts ask, and for how many of them there is a room.
func (c *Contacts) CountRequests(ctx context.Context) (asking, shown int, err error) {
	err = c.db.QueryRow(ctx, `
		SELECT COUNT(*), COALESCE(SUM(CASE WHEN shown THEN 1 ELSE 0 END), 0)
		FROM postern_contact WHERE account = $1 AND request = $2`, c.account, puppet.Asks).Scan(&asking, &shown)
	if err != nil {
		err = fmt.Errorf("failed to count requests: %w", err)
	}
	return asking, shown, err
}

// Requests returns contacts whose request stands there, of those who asked last at most limit, the newest first.
func (c *Contacts) Requests(ctx context.Context, request puppet.Request, limit int) ([]*puppet.Contact, error) {
	return queryAll(ctx, c.core, "list requests", scanContact,
		selectContact+"AND request = $2 ORDER BY asked DESC, contact LIMIT $3", c.account, request, limit)
}

// Unsettled returns the contacts about whom something was decided and not carried out yet: accepted ones of whom messages are
// kept, and those accepted or declined whose room is still that of a request. In no order.
func (c *Contacts) Unsettled(ctx context.Context) ([]*puppet.Contact, error) {
	return queryAll(ctx, c.core, "list unsettled requests", scanContact, selectContact+`
		AND request IN ($2, $3) AND (shown OR missed > 0 OR EXISTS (
			SELECT 1 FROM postern_kept WHERE postern_kept.account = postern_contact.account AND postern_kept.contact = postern_contact.contact
		))`, c.account, puppet.Accepted, puppet.Declined)
}

// AddMissed notes that a message was not kept; ClearMissed, that the user was told how many.
func (c *Contacts) AddMissed(ctx context.Context, jid types.JID) error {
	return c.exec(ctx, "note that a message was not kept", "UPDATE postern_contact SET missed = missed + 1 WHERE account = $1 AND contact = $2",
		c.account, formatJID(jid.ToNonAD()))
}

// ClearMissed is described at AddMissed.
func (c *Contacts) ClearMissed(ctx context.Context, jid types.JID) error {
	return c.exec(ctx, "note that a user knows what was not kept", "UPDATE postern_contact SET missed = 0 WHERE account = $1 AND contact = $2",
		c.account, formatJID(jid.ToNonAD()))
}

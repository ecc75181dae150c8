package connector

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"postern/puppet"
)

// What users decide about contacts who ask. A decision is one change of one row, which the first wins; what follows from it is
// carried out beside that by settle, and can be repeated: after a kill the next start goes on. So a decision may be taken with
// a room's lock held.

const (
	// settleRetry is the pause between two tries to carry decisions out.
	settleRetry = 10 * time.Second
)

// Accept lets a contact write to the user: the request becomes a chat with all that was kept, and what is declined is undone.
// Whoever is accepted already stays so. Errors for the user are of type [refusal].
func (c *Client) Accept(ctx context.Context, jid types.JID) error {
	for _, was := range []puppet.Request{puppet.Asks, puppet.Declined, puppet.NeverAsked} {
		if changed, err := c.acceptFrom(ctx, jid, was); changed || err != nil {
			return err
		}
	}
	return nil
}

// acceptRequest is Accept for a contact who asks, and nobody else: who joins a request's room, or writes into it, accepts it
// unless it was declined before.
func (c *Client) acceptRequest(ctx context.Context, jid types.JID) error {
	_, err := c.acceptFrom(ctx, jid, puppet.Asks)
	return err
}

func (c *Client) acceptFrom(ctx context.Context, jid types.JID, was puppet.Request) (bool, error) {
	changed, err := c.contacts().SetRequest(ctx, jid, was, puppet.Accepted)
	if changed {
		zerolog.Ctx(ctx).Info().Msg("A user accepted a contact")
		c.settleSoon()
	}
	return changed, err
}

// Decline refuses a contact who asks: what was kept is erased, the room goes, and nothing that the contact writes appears
// until the user undoes it. The contact is not told. Errors for the user are of type [refusal].
func (c *Client) Decline(ctx context.Context, jid types.JID) error {
	changed, err := c.contacts().SetRequest(ctx, jid, puppet.Asks, puppet.Declined)
	if err != nil {
		return err
	} else if changed {
		zerolog.Ctx(ctx).Info().Msg("A user declined a contact")
		c.settleSoon()
		return nil
	}
	contact, err := c.contacts().Contact(ctx, jid)
	switch {
	case err != nil:
		return err
	case contact.Request == puppet.Declined:
		return nil
	case contact.Request == puppet.Accepted:
		return refusal(textDeclineAccepted)
	default:
		return refusal(textNoRequest)
	}
}

// DeclineAll declines all contacts who ask now, and returns how many those were.
func (c *Client) DeclineAll(ctx context.Context) (int, error) {
	asking, err := c.contacts().Requests(ctx, puppet.Asks, maxAsking)
	if err != nil {
		return 0, err
	}
	declined := 0
	for _, contact := range asking {
		changed, err := c.contacts().SetRequest(ctx, contact.JID, puppet.Asks, puppet.Declined)
		if err != nil {
			return declined, err
		} else if changed {
			declined++
		}
	}
	c.settleSoon()
	return declined, nil
}

// Undecline lets a contact ask again who was declined. Errors for the user are of type [refusal].
func (c *Client) Undecline(ctx context.Context, jid types.JID) error {
	// What is left of the request has to go first: a room would make it a chat.
	if err := c.settleDecision(ctx, jid); err != nil {
		return err
	}
	changed, err := c.contacts().SetRequest(ctx, jid, puppet.Declined, puppet.NeverAsked)
	if err != nil {
		return err
	} else if !changed {
		return refusal(textNotDeclined)
	}
	return nil
}

// settleSoon carries decisions out beside the caller's work.
func (c *Client) settleSoon() {
	c.network.Spawn(func(ctx context.Context) { c.settleDecisions(c.login.Log.WithContext(ctx)) })
}

// settleDecisions carries out what was decided and is not done yet, until that has worked or ctx ends.
func (c *Client) settleDecisions(ctx context.Context) {
	for ctx.Err() == nil && c.IsLoggedIn() {
		unsettled, err := c.contacts().Unsettled(ctx)
		if err != nil {
			zerolog.Ctx(ctx).Err(err).Msg("Failed to look for decisions about contacts")
		}
		for _, contact := range unsettled {
			if settleErr := c.settleDecision(ctx, contact.JID); settleErr != nil {
				zerolog.Ctx(ctx).Err(settleErr).Msg("Failed to carry out a decision about a contact, trying again later")
				err = settleErr
			}
		}
		if err == nil {
			return
		}
		pause(ctx, settleRetry)
	}
}

// settleDecision carries out what was decided about one contact.
func (c *Client) settleDecision(ctx context.Context, jid types.JID) error {
	_, key, err := c.chat(jid)
	if err != nil {
		return err
	}
	defer c.network.chats.WithLock(key)()
	contact, err := c.contacts().Contact(ctx, jid)
	if err != nil {
		return err
	}
	switch {
	case contact.Request == puppet.Accepted && contact.Blocked: // the room opens with the first event after that is undone
		if err = c.kept().DeleteAll(ctx, jid); err != nil {
			return err
		}
		return c.contacts().ClearMissed(ctx, jid)
	case contact.Request == puppet.Accepted:
		return c.deliverKept(ctx, contact, key)
	case contact.Request == puppet.Declined:
		c.gate.close(jid)
		if contact.Shown {
			if err = c.dropRequestRoom(ctx, key); err != nil {
				return err
			}
		}
		if err = c.kept().DeleteAll(ctx, jid); err != nil {
			return err
		} else if err = c.contacts().ClearMissed(ctx, jid); err != nil {
			return err
		}
		return c.contacts().SetShown(ctx, jid, false)
	default:
		return nil
	}
}

package connector

import (
	"context"
	"sync"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/bridge/settings"
	"postern/database"
	"postern/interop"
	"postern/puppet"
)

// Everything that comes from a contact passes the gate, which decides what becomes of it by what the user decided about the
// contact:
//
//   - an accepted contact's events go to the room;
//   - what someone writes whom the user has not accepted is kept, and is a request; see requests.go. Receipts and typing of
//     theirs are about nothing yet and are dropped;
//   - what a declined or blocked contact does is dropped.
//
// Whatever is not an error is acknowledged, so the gatekeeper's mailbox gets free. Only an accepted contact gets receipts.

// gate is what a login remembers of the contacts who may pass. The zero value is ready.
type gate struct {
	// open are accepted contacts of whom nothing is kept: their events pass without a look into the database. Who decides
	// otherwise about one of them calls close.
	open sync.Map // of types.JID
	// strangers is held while someone is handled who is not accepted: one at a time, so that a flood of them leaves
	// the database and the homeserver to the others, and can be counted.
	strangers sync.Mutex
	flood     flood
}

// close has the next event of a contact looked at.
func (g *gate) close(contact types.JID) { g.open.Delete(contact.ToNonAD()) }

// contacts is the table of what the user decided.
func (c *Client) contacts() *database.Contacts {
	return c.network.Database.Contacts(c.enlistment.Account)
}

// kept is the table of messages of contacts who ask.
func (c *Client) kept() *database.Kept { return c.network.Database.Kept(c.enlistment.Account) }

// pass handles an event of a contact, which is the message, if any: with show if it may go to the room, with keep if the contact asks; nil drops it.
func (c *Client) pass(ctx context.Context, jid types.JID, message types.MessageID, show func() error, keep func(key networkid.PortalKey) error) error {
	jid = jid.ToNonAD()
	if _, open := c.gate.open.Load(jid); open {
		return show()
	}
	_, key, err := c.chat(jid)
	if err != nil {
		return show() // which knows what to do about an unusable sender
	}
	// Until the kept messages are in the room, nothing later may get there.
	defer c.network.chats.WithLock(key)()
	contact, err := c.contactOf(ctx, jid, key)
	if err != nil {
		return err
	}
	switch {
	case contact.Blocked, contact.Request == puppet.Declined:
		zerolog.Ctx(ctx).Debug().Str(fieldMessage, message).Msg("Dropped an event of a contact who was declined or blocked")
		return nil
	case contact.Request == puppet.Accepted:
		if err = c.deliverKept(ctx, contact, key); err != nil {
			return err
		}
		c.gate.open.Store(jid, struct{}{})
		return show()
	case keep == nil:
		return nil
	default:
		return keep(key)
	}
}

// contactOf loads what the user decided. A contact about whom nothing was decided but with whom there is a chat is an accepted
// one: the chat is older than requests, or the user began it. So is one whom the user asked to turn third-party chats on.
func (c *Client) contactOf(ctx context.Context, jid types.JID, key networkid.PortalKey) (*puppet.Contact, error) {
	contact, err := c.contacts().Contact(ctx, jid)
	if err != nil || contact.Request != puppet.NeverAsked {
		return contact, err
	}
	if !contact.Wished || c.setting(settings.Write) == settings.WriteNobody {
		if room, err := c.room(ctx, key); err != nil || room == "" {
			return contact, err
		}
	}
	if _, err = c.contacts().SetRequest(ctx, jid, puppet.NeverAsked, puppet.Accepted); err != nil {
		return nil, err
	}
	return c.contacts().Contact(ctx, jid)
}

// passMessage is pass for what is shown or kept.
func (c *Client) passMessage(ctx context.Context, evt interop.Event, info *interop.MessageInfo, show func() error) error {
	return c.pass(ctx, info.Chat, info.ID, show, func(key networkid.PortalKey) error { return c.keep(ctx, key, evt, info) })
}

// answers tells what a contact may learn of what becomes of their messages, mostly without a look into the database.
func (c *Client) answers(ctx context.Context, jid types.JID) (interop.Answers, error) {
	if _, open := c.gate.open.Load(jid.ToNonAD()); open {
		return interop.AnswerAll, nil
	}
	return answersTo(ctx, c.contacts(), jid)
}

// answersTo is answers for the user of the table. It is asked when the event was handled, so who has an older chat counts as
// accepted by then.
func answersTo(ctx context.Context, contacts *database.Contacts, jid types.JID) (interop.Answers, error) {
	contact, err := contacts.Contact(ctx, jid)
	switch {
	case err != nil:
		return interop.AnswerNothing, err
	case contact.Blocked:
		return interop.AnswerNothing, nil
	case contact.Request == puppet.Accepted:
		return interop.AnswerAll, nil
	default:
		return interop.AnswerRequests, nil
	}
}

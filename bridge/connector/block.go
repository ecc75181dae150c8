package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/bridge/audit"
	"postern/database"
	"postern/interop"
	"postern/portal"
	"postern/puppet"
)

// Whom users block. What a user wants is noted first, and holds from then on: the gate drops what a blocked contact sends,
// whatever the gatekeeper delivers, and the contact gets no receipts. The gatekeeper is told after that. If we are killed in
// between, or the channel is down, the two lists differ, and are made equal after the next login: see [puppet.MergeBlocks].

// blocks is what a login needs to keep two lists equal. The zero value is ready.
type blocks struct {
	// telling is held while the gatekeeper is told, so that its last word and our note of it belong together.
	telling sync.Mutex
	// comparing: a goroutine makes the lists equal. again: it has to look once more.
	comparing, again atomic.Bool
}

const (
	// compareRetry is the pause after the lists could not be made equal while the channel is up.
	compareRetry = 30 * time.Second
	// compareTries is how often that is tried after one login.
	compareTries = 20
)

// Block keeps a contact away: nothing of theirs appears, and they learn nothing. It returns a sentence for the user.
func (c *Client) Block(ctx context.Context, jid types.JID) (string, error) {
	if err := c.setBlocked(ctx, jid, true); err != nil {
		return "", err
	}
	c.declineBlocked(ctx, jid)
	c.auditBlock(ctx, audit.Block, jid)
	return c.tellBlocked(ctx, jid, true, "Blocked. You will see nothing that they write, and they are not told. `unblock` takes it back.")
}

// Unblock lets a blocked contact write again. It returns a sentence for the user. Errors for the user are of type [refusal].
func (c *Client) Unblock(ctx context.Context, jid types.JID) (string, error) {
	contact, err := c.contacts().Contact(ctx, jid)
	if err != nil {
		return "", err
	} else if !contact.Blocked {
		return "", refusal(textNotBlocked)
	}
	if err = c.setBlocked(ctx, jid, false); err != nil {
		return "", err
	}
	var why refusal
	if err = c.Undecline(ctx, jid); err != nil && !errors.As(err, &why) { // who was blocked instead of accepted was declined, too
		return "", err
	}
	c.auditBlock(ctx, audit.Unblock, jid)
	return c.tellBlocked(ctx, jid, false, "Unblocked. What they wrote meanwhile is lost.")
}

// auditBlock notes in the audit log what a user did.
func (c *Client) auditBlock(ctx context.Context, kind audit.Kind, jid types.JID) {
	if contact, _, err := c.chat(jid); err == nil {
		c.network.audit.Note(ctx, kind, c.login.UserMXID, c.auditedAbout(contact))
	}
}

func (c *Client) auditedAbout(contact networkid.UserID) audit.About {
	return audit.About{User: c.login.UserMXID, Gatekeeper: c.gatekeeper.ID, Contact: contact}
}

// setBlocked notes what the user wants, and returns when nothing of a contact who is blocked now is on its way into the room.
func (c *Client) setBlocked(ctx context.Context, jid types.JID, blocked bool) error {
	_, key, err := c.chat(jid)
	if err != nil {
		return refusal(textNoContact)
	}
	unlock := c.network.chats.WithLock(key)
	err = c.contacts().SetBlocked(ctx, jid, blocked)
	c.gate.close(jid)
	unlock()
	if err == nil && blocked {
		c.drain(key)
	}
	return err
}

// drain waits until what passed the gate of a chat before now is in its room.
func (c *Client) drain(key networkid.PortalKey) {
	c.login.QueueRemoteEvent(&chatTask{key: key, work: func(context.Context, *bridgev2.Portal) {}})
}

// declineBlocked takes away the invitation of a blocked contact who asks.
func (c *Client) declineBlocked(ctx context.Context, jid types.JID) {
	var why refusal
	if err := c.Decline(ctx, jid); err != nil && !errors.As(err, &why) {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to decline a contact who was blocked")
	}
}

// tellBlocked tells the gatekeeper, and makes the user's sentence.
func (c *Client) tellBlocked(ctx context.Context, jid types.JID, blocked bool, done string) (string, error) {
	zerolog.Ctx(ctx).Info().Bool("blocked", blocked).Msg("A user blocked or unblocked a contact")
	c.reach(ctx)
	if err := c.pushBlocked(ctx, jid, blocked); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("Failed to tell the gatekeeper of a block, trying again later")
		c.need()
		c.compareBlocksSoon()
		return done + " " + textBlockNotTold(c.gatekeeperName()), nil
	}
	return done, nil
}

// pushBlocked tells the gatekeeper what the user wants of a contact, unless that is something else by now.
func (c *Client) pushBlocked(ctx context.Context, jid types.JID, blocked bool) error {
	c.blocks.telling.Lock()
	defer c.blocks.telling.Unlock()
	contact, err := c.contacts().Contact(ctx, jid)
	if err != nil || contact.Blocked != blocked {
		return err
	} else if !c.IsLoggedIn() {
		return interop.ErrNotConnected
	}
	if _, err = c.interop.SetBlocked(ctx, jid, blocked); err != nil {
		return err
	}
	return c.contacts().SetListed(ctx, jid, blocked)
}

// compareBlocksSoon makes the lists equal beside the caller's work.
func (c *Client) compareBlocksSoon() {
	c.blocks.again.Store(true)
	c.network.Spawn(func(ctx context.Context) { c.keepComparing(c.login.Log.WithContext(ctx)) })
}

// keepComparing makes the lists equal until that has worked, while the channel is up. What is left is done after the next login.
func (c *Client) keepComparing(ctx context.Context) {
	for c.canCompare(ctx) && c.blocks.again.Load() && c.blocks.comparing.CompareAndSwap(false, true) {
		for try := 0; try < compareTries && c.canCompare(ctx); try++ {
			c.blocks.again.Store(false)
			err := c.compareBlocks(ctx)
			if err == nil {
				break
			}
			zerolog.Ctx(ctx).Warn().Err(err).Msg("Failed to make the blocklists equal, trying again")
			pause(ctx, compareRetry)
		}
		c.blocks.comparing.Store(false)
	}
}

func (c *Client) canCompare(ctx context.Context) bool {
	return ctx.Err() == nil && c.IsLoggedIn() && c.interop.IsConnected()
}

// compareBlocks makes what the user wants and the gatekeeper's list equal. One contact that fails does not keep the others.
func (c *Client) compareBlocks(ctx context.Context) error {
	c.blocks.telling.Lock()
	listed, err := c.interop.Blocklist(ctx)
	var known []*puppet.Contact
	if err == nil {
		known, err = c.contacts().Blocks(ctx)
	}
	c.blocks.telling.Unlock()
	if err != nil {
		return fmt.Errorf("failed to load the blocklists: %w", err)
	}
	var problems []error
	changes, settled := puppet.MergeBlocks(known, listed)
	for _, change := range settled {
		problems = append(problems, c.contacts().SetListed(ctx, change.JID, change.Blocked))
	}
	for _, change := range changes {
		if err = c.carryOut(ctx, change); err != nil {
			problems = append(problems, fmt.Errorf("failed to settle a block: %w", err))
		}
	}
	return errors.Join(problems...)
}

func (c *Client) carryOut(ctx context.Context, change puppet.BlockChange) error {
	zerolog.Ctx(ctx).Info().Bool("blocked", change.Blocked).Bool("tell", change.Tell).Msg("The blocklists differ")
	if change.Tell {
		err := c.pushBlocked(ctx, change.JID, change.Blocked)
		if errors.Is(err, interop.ErrUnknownContact) {
			return nil // nobody can be kept away who is not there; the next login asks again
		}
		return err
	}
	c.blocks.telling.Lock()
	defer c.blocks.telling.Unlock()
	contact, err := c.contacts().Contact(ctx, change.JID)
	if err != nil || contact.Blocked != contact.Listed {
		return err // the user decided meanwhile
	}
	var why refusal
	if err = c.setBlocked(ctx, change.JID, change.Blocked); errors.As(err, &why) {
		return nil // not a contact that could ever write here
	} else if err != nil {
		return err
	}
	return c.contacts().SetListed(ctx, change.JID, change.Blocked)
}

// isBlocked tells whether the user blocked a contact, mostly without a look into the database.
func (c *Client) isBlocked(ctx context.Context, jid types.JID) (bool, error) {
	if _, open := c.gate.open.Load(jid.ToNonAD()); open {
		return false, nil
	}
	return isBlocked(ctx, c.contacts(), jid)
}

func (c *Client) isBlockedContact(ctx context.Context, contact networkid.UserID) (bool, error) {
	_, jid, err := portal.ParseUserID(contact)
	if err != nil {
		return false, err
	}
	return c.isBlocked(ctx, jid)
}

// errBlocked: the user wrote to a contact whom they blocked.
var errBlocked = errors.New("the user blocked the contact")

// Blocked returns the contacts whom the user blocked.
func (c *Client) Blocked(ctx context.Context) ([]types.JID, error) {
	known, err := c.contacts().Blocks(ctx)
	if err != nil {
		return nil, err
	}
	var blocked []types.JID
	for _, contact := range known {
		if contact.Blocked {
			blocked = append(blocked, contact.JID)
		}
	}
	return blocked, nil
}

// isBlocked tells whether the user of the table blocked a contact.
func isBlocked(ctx context.Context, contacts *database.Contacts, jid types.JID) (bool, error) {
	contact, err := contacts.Contact(ctx, jid)
	if err != nil {
		return false, err
	}
	return contact.Blocked, nil
}

const (
	textBlocked    = "You blocked this contact. Write `unblock` first, then send it again."
	textNotBlocked = "You did not block this contact."
	textNoContact  = "That is not a contact. Please write a phone number in international form, such as +49 151 12345678."
)

func textBlockNotTold(gatekeeper string) string {
	return fmt.Sprintf("%s could not be told yet; that is done as soon as it can be reached, and until then the bridge keeps to it alone.", gatekeeper)
}

package connector

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"github.com/rs/zerolog"

	"postern/interop"
	"postern/portal"
)

// What happens when a contact's identity key changes: a notice at the right place of the chat, the mark of a comparison goes, and
// messages wait if the user wants that; see interop/hold.go.

const (
	// keyNoticesADay is how many changes of a contact's keys are shown one by one. Who changes their key with every message
	// must not fill the chat with notices.
	keyNoticesADay = 3
	keyNoticesSpan = 24 * time.Hour
	// maxKeyNotices bounds the contacts that are remembered.
	maxKeyNotices = 1024
)

// agreeEmoji on the notice agrees to the new key. Clients may send it with a variation selector.
const agreeEmoji = "✅"

// keyNotices counts the notices about each contact's keys. It starts anew with the program. The zero value is ready.
type keyNotices struct {
	lock     sync.Mutex
	contacts map[types.JID]*keyNoticeCount
}

type keyNoticeCount struct {
	since time.Time
	count int
	held  bool // the user was told that messages wait
}

// next tells whether a change at the time is to be shown, and whether it is the last one for now. What takes something from the user
// is always shown: that can happen only once for everything that the user does. held: messages wait.
func (k *keyNotices) next(contact types.JID, at time.Time, compared, held bool) (show, last bool) {
	k.lock.Lock()
	defer k.lock.Unlock()
	entry := k.contacts[contact]
	if entry == nil {
		if k.contacts == nil || len(k.contacts) >= maxKeyNotices {
			k.contacts = make(map[types.JID]*keyNoticeCount)
		}
		entry = &keyNoticeCount{since: at}
		k.contacts[contact] = entry
	}
	if at.Sub(entry.since) >= keyNoticesSpan {
		entry.since, entry.count = at, 0
	}
	important := compared || held && !entry.held
	if entry.count >= keyNoticesADay && !important {
		return false, false
	}
	return true, entry.count+1 >= keyNoticesADay
}

// shown counts a notice that is in the room.
func (k *keyNotices) shown(contact types.JID, held bool) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if entry := k.contacts[contact]; entry != nil {
		entry.count++
		entry.held = held
	}
}

// agreed is told when the user lets messages go again.
func (k *keyNotices) agreed(contact types.JID) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if entry := k.contacts[contact.ToNonAD()]; entry != nil {
		entry.held = false
	}
}

// handleIdentityChanged puts a notice into the chat, before the message that comes under the new key, and takes the mark of a
// comparison away. On an error the interop client hands the event over again, and the message waits.
func (c *Client) handleIdentityChanged(ctx context.Context, change *interop.IdentityChanged) error {
	jid := change.Contact.ToNonAD()
	contact, key, err := c.chat(jid)
	if err != nil {
		return err
	}
	decided, err := c.contacts().Contact(ctx, jid)
	if err != nil {
		return err
	}
	show, last := c.keyNotices.next(jid, c.network.Clock.Now(), decided.Compared != nil, decided.Held)
	if !show {
		zerolog.Ctx(ctx).Info().Msg("A contact's key changes too often to show every change")
		return nil
	}
	mark, err := c.keyMark(ctx, change.Contact)
	if err != nil {
		return err
	}
	messageID, err := portal.MessageID(portal.FromBridge, contact, identityNoticeID(change)+"-"+mark)
	if err != nil {
		return err
	}
	err = c.deliver(ctx, &remoteMessage{
		remoteEvent: remoteEvent{client: c, key: key, at: change.Timestamp},
		id:          messageID,
		notice: portal.IdentityChangedNotice(portal.IdentityChange{
			Name: c.contactName(ctx, contact), Prefix: c.network.CommandPrefix,
			Compared: decided.Compared != nil, Held: decided.Held, Last: last,
		}),
	})
	if err != nil {
		return err
	}
	c.keyNotices.shown(jid, decided.Held)
	if decided.Compared == nil {
		return nil
	}
	return c.contacts().SetCompared(ctx, jid, nil)
}

// identityNotice is what the ids of these notices begin with.
const identityNotice = "identity-"

// identityNoticeID is the same for the same change of the same device's key.
func identityNoticeID(change *interop.IdentityChanged) types.MessageID {
	return fmt.Sprintf(identityNotice+"%d-%d", change.Contact.Device, change.Timestamp.Unix())
}

// keyMark tells keys of one device apart, in an id.
func (c *Client) keyMark(ctx context.Context, device types.JID) (string, error) {
	key, _, err := c.network.Database.AccountStore(c.enlistment.Account).LoadIdentity(ctx, interop.AddressOf(device))
	return hex.EncodeToString(key[:8]), err
}

// agreesByReaction handles a reaction that agrees to a new key. It returns false if it is about something else. An agreement to a
// key that is not the contact's any more is refused: there is a newer notice.
func (c *Client) agreesByReaction(ctx context.Context, reaction *bridgev2.MatrixReaction, target changeTarget) (bool, error) {
	rest, isNotice := strings.CutPrefix(target.id, identityNotice)
	if target.direction != portal.FromBridge || !isNotice || !strings.HasPrefix(reaction.Content.RelatesTo.Key, agreeEmoji) {
		return false, nil
	}
	var device uint16
	var at int64
	var mark string
	if _, err := fmt.Sscanf(rest, "%d-%d-%s", &device, &at, &mark); err != nil {
		return true, refuseChange(errNotSent, textOldNotice)
	}
	address := target.jid
	address.Device = device
	current, err := c.keyMark(ctx, address)
	if err != nil {
		return true, err
	} else if current != mark {
		return true, refuseChange(errNotSent, textOldNotice)
	}
	answer, err := c.Trust(ctx, target.jid)
	if err != nil {
		var fault bool
		if answer, fault = sentence(err); fault {
			return true, err
		}
	}
	c.network.Spawn(func(ctx context.Context) { c.network.say(ctx, reaction.Portal.MXID, answer) })
	return true, nil
}

const textOldNotice = "The security code changed again after this notice. Please look at the newest one, or write `code`."

// handleHeldBack says at a message why it is not sent.
func (c *Client) handleHeldBack(ctx context.Context, held *interop.HeldBack) error {
	contact, err := portal.UserID(c.gatekeeper.ID, held.Chat)
	if err != nil {
		return err
	}
	room, err := c.room(ctx, portal.Key(c.login.ID, contact))
	if err != nil || room == "" || held.Ref == "" {
		return err
	}
	ref := parseReference(held.Ref)
	c.login.Log.Info().Str(fieldMessage, held.ID).Stringer(fieldEvent, ref.event).Stringer(fieldRoom, room).
		Msg("A message waits until its sender agrees to the contact's new key")
	c.network.Matrix.ExplainPending(ctx, &bridgev2.MessageStatus{
		Status:  event.MessageStatusPending,
		Message: "It waits: the security code of your contact changed. Compare it with `code` and `verify`, or agree with `trust`.",
	}, ref.statusInfo(room, c.login.UserMXID))
	return nil
}

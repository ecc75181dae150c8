package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/bridge/settings"
	"postern/interop"
	"postern/portal"
	"postern/puppet"
)

// What someone writes whom the user has not accepted is kept, sealed, and shown as an invitation to a room that says who it
// is and nothing more. It is accepted by joining, declined by rejecting; see decide.go. How much is kept is bounded, because
// strangers decide how much they send.
const (
	// keptMessages and keptBytes bound what is kept of one contact. The first messages stay; of the others it is counted
	// that they came, and the user is told when they accept.
	keptMessages = 100
	keptBytes    = 256 << 10
	// allKeptBytes bounds what is kept of all contacts of a user together.
	allKeptBytes = 16 << 20
	// keptAge is how long: as long as messages wait in the gatekeeper's mailbox.
	keptAge = 30 * 24 * time.Hour
	// maxAsking bounds how many contacts may ask at a time. Who comes later is not noted, and may write again.
	maxAsking = 2000
)

// keptForm is the stored form of a message that is kept.
type keptForm struct {
	Time     time.Time `json:"time"`
	PushName string    `json:"name,omitempty"`
	// Message is a waE2E.Message, nil if it could not be decrypted.
	Message []byte `json:"message,omitempty"`
}

// keep takes in what someone writes whom the user has not accepted. The lock of the chat is held. nil means that it is
// stored, or thrown away as the rules have it.
func (c *Client) keep(ctx context.Context, key networkid.PortalKey, evt interop.Event, info *interop.MessageInfo) error {
	c.gate.strangers.Lock()
	defer c.gate.strangers.Unlock()
	contact, err := c.contacts().Contact(ctx, info.Chat)
	if err != nil {
		return err
	}
	if contact.Request == puppet.NeverAsked {
		if welcome, err := c.mayAsk(ctx, contact); !welcome || err != nil {
			c.login.Log.Debug().Err(err).Str(fieldMessage, info.ID).Msg("A message of someone new was not taken")
			return err
		}
		if _, err = c.contacts().Ask(ctx, info.Chat); err != nil {
			return err
		}
	}
	var message *waE2E.Message
	switch evt := evt.(type) {
	case *interop.Message:
		message = evt.Message
	case *interop.Undecryptable:
		if evt.Hide {
			return nil
		}
	}
	if err = c.keepMessage(ctx, info, message); err != nil {
		return err
	}
	c.login.Log.Debug().Str(fieldMessage, info.ID).Msg("A message of a contact who was not accepted was kept, if there was room")
	if contact.Request == puppet.NeverAsked {
		zerolog.Ctx(ctx).Info().Msg("Someone asks to write to a user")
	}
	if contact.Shown {
		if done, err := c.hasRequestRoom(ctx, key); done || err != nil {
			return err
		}
	}
	return c.showRequest(ctx, info.Chat, info.PushName, contact.Shown)
}

// mayAsk tells whether someone who never wrote may ask now.
func (c *Client) mayAsk(ctx context.Context, contact *puppet.Contact) (bool, error) {
	log := zerolog.Ctx(ctx)
	switch who := c.setting(settings.Write); {
	case who == settings.WriteContacts, who == settings.WriteNobody:
		log.Debug().Msg("Dropped a message of someone new, as the user wants it")
		return false, nil
	}
	asking, _, err := c.contacts().CountRequests(ctx)
	if err != nil {
		return false, err
	} else if asking >= maxAsking {
		log.Warn().Int("asking", asking).Msg("Dropped a message of someone new: too many ask already")
		return false, nil
	}
	return true, nil
}

// keepMessage stores a message, or counts it if there are too many. A deletion is carried out at once.
func (c *Client) keepMessage(ctx context.Context, info *interop.MessageInfo, message *waE2E.Message) error {
	form := keptForm{Time: info.Timestamp, PushName: info.PushName}
	if message != nil {
		action, err := portal.ActionOf(message)
		if err != nil {
			return nil // a change of an earlier message that cannot be right
		} else if action != nil && action.Kind == portal.ActionDelete {
			return c.kept().Delete(ctx, info.Chat, action.Target)
		}
		if form.Message, err = proto.Marshal(message); err != nil {
			return fmt.Errorf("failed to serialize a message that is kept: %w", err)
		}
	}
	data, err := json.Marshal(form)
	if err != nil {
		return fmt.Errorf("failed to serialize a message that is kept: %w", err)
	}
	kept := c.kept()
	size, err := kept.Size(ctx, info.Chat)
	if err != nil {
		return err
	}
	if size.Count < keptMessages && size.Bytes+len(data) <= keptBytes && size.AllBytes+len(data) <= allKeptBytes {
		return kept.Put(ctx, info.Chat, info.ID, data, message != nil)
	}
	if known, err := kept.Has(ctx, info.Chat, info.ID); known || err != nil {
		return err
	}
	// If the program ends before the gatekeeper hears of it, the message comes again and counts twice: the number is
	// for people.
	return c.contacts().AddMissed(ctx, info.Chat)
}

// deliverKept puts what is kept of an accepted contact into the room, in its order, and says how much is missing. It can be
// repeated until it has worked, and a message that is in the room is known there by its id. The lock of the chat is held.
func (c *Client) deliverKept(ctx context.Context, contact *puppet.Contact, key networkid.PortalKey) error {
	if contact.Shown {
		if err := c.openRoom(ctx, contact.JID, key); err != nil {
			return err
		}
	}
	kept := c.kept()
	var delivered []types.MessageID
	defer func() { c.sendDelivered(ctx, contact.JID, delivered) }()
	for {
		id, data, err := kept.First(ctx, contact.JID)
		if err != nil {
			return err
		} else if id == "" {
			break
		}
		if err = c.deliverKeptMessage(ctx, contact, id, data); err != nil {
			return err
		} else if err = kept.Delete(ctx, contact.JID, id); err != nil {
			return err
		}
		delivered = append(delivered, id)
	}
	if contact.Missed == 0 {
		return nil
	}
	if err := c.sayMissed(ctx, contact, key); err != nil {
		return err
	}
	return c.contacts().ClearMissed(ctx, contact.JID)
}

// sendDelivered tells a contact who was just accepted that messages are there. If that does not work, the read receipt will tell.
func (c *Client) sendDelivered(ctx context.Context, jid types.JID, messages []types.MessageID) {
	if len(messages) == 0 {
		return
	}
	if err := c.interop.SendReceipt(ctx, jid, messages, interop.ReceiptDelivered, time.Now()); err != nil {
		zerolog.Ctx(ctx).Debug().Err(err).Msg("Failed to say that messages of a contact who was accepted are delivered")
	}
}

func (c *Client) deliverKeptMessage(ctx context.Context, contact *puppet.Contact, id string, data []byte) error {
	if data == nil { // damaged
		info := interop.MessageInfo{ID: id, Chat: contact.JID, Sender: contact.JID, Timestamp: time.Now(), Offline: true}
		return c.handleUndecryptable(ctx, &interop.Undecryptable{MessageInfo: info})
	}
	form, message, err := parseKept(data)
	if err != nil {
		return c.undeliverable(ctx, id, err)
	}
	info := interop.MessageInfo{
		ID: id, Chat: contact.JID, Sender: contact.JID, PushName: form.PushName, Timestamp: form.Time,
		Offline: true, // an earlier run may have delivered it
	}
	if message == nil {
		return c.handleUndecryptable(ctx, &interop.Undecryptable{MessageInfo: info})
	}
	return c.handleMessage(ctx, &interop.Message{MessageInfo: info, Message: message})
}

// parseKept reads what keepMessage wrote. The message is nil if it could not be decrypted.
func parseKept(data []byte) (form keptForm, message *waE2E.Message, err error) {
	if err = json.Unmarshal(data, &form); err != nil {
		return form, nil, errKeptForm
	}
	if form.Message == nil {
		return form, nil, nil
	}
	message = new(waE2E.Message)
	if proto.Unmarshal(form.Message, message) != nil {
		return form, nil, errKeptForm // the library's error may quote content
	}
	return form, message, nil
}

var errKeptForm = errors.New("failed to read a message that was kept")

// sayMissed says in the room how many messages were not kept. It is one notice, however often it is tried.
func (c *Client) sayMissed(ctx context.Context, contact *puppet.Contact, key networkid.PortalKey) error {
	who, err := portal.Contact(key.ID)
	if err != nil {
		return err
	}
	id, err := portal.MessageID(portal.FromBridge, who, fmt.Sprintf("missed-%d-%d", contact.Asked.Unix(), contact.Missed))
	if err != nil {
		return err
	}
	return c.deliver(ctx, &remoteMessage{
		remoteEvent: remoteEvent{client: c, key: key, at: time.Now(), repeated: true},
		id:          id, notice: textMissed(contact.Missed),
	})
}

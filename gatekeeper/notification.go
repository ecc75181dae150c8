package gatekeeper

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// notify puts a notification into a device's mailbox and waits until it is stored. from is as the receiver knows the
// sender; sender is the same in its canonical form.
func (s *Server) notify(to *user, device uint16, from, sender types.JID, kind string, content waBinary.Node) error {
	id := rand.Text()[:16]
	now := s.clock.unix()
	stanza, err := wire.EncodeStanza(waBinary.Node{
		Tag:     "notification",
		Attrs:   waBinary.Attrs{"id": id, "type": kind, "from": from, "t": now},
		Content: []waBinary.Node{content},
	})
	if err != nil {
		return fmt.Errorf("failed to make %s notification: %w", kind, err)
	}
	return s.state.Store(&state.Mail{
		Device: to.as(true, device), Class: "notification", ID: id, Sender: sender, Stanza: stanza, Stored: now,
	})
}

// announcement is a notification for everybody who exchanged messages with an account.
type announcement struct {
	kind string
	// from is whom it is about: a device, or an account if it has no device number.
	from types.JID
	// ownDevices tells the account's other devices as well, all but this one.
	ownDevices bool
	except     types.JID
	// content makes the notification's content. about is from, as the receiver knows it.
	content func(about types.JID) waBinary.Node
}

// announce stores a notification in the mailboxes of all that it concerns.
func (s *Server) announce(ctx context.Context, a announcement) error {
	fail := func(err error) error { return fmt.Errorf("failed to announce %s: %w", a.kind, err) }
	about, err := s.directory.find(ctx, a.from)
	if err != nil {
		return fail(err)
	}
	contacts, err := s.state.Contacts(ctx, about.JID)
	if err != nil {
		return fail(err)
	}
	if a.ownDevices {
		contacts = append(contacts, about.JID)
	}
	for _, contact := range contacts {
		to, err := s.directory.find(ctx, contact)
		if errors.Is(err, state.ErrUnknown) {
			continue // has left
		} else if err != nil {
			return fail(err)
		}
		from := about.as(to.IsInterop(), a.from.Device)
		for _, device := range to.devices {
			if to.as(true, device) == a.except {
				continue
			}
			if err = s.notify(to, device, from, about.as(true, a.from.Device), a.kind, a.content(from)); err != nil {
				return err
			}
		}
	}
	return nil
}

// announceIdentity tells that a device has a new identity key.
func (s *Server) announceIdentity(ctx context.Context, device types.JID) error {
	return s.announce(ctx, announcement{kind: "encrypt", from: device, content: func(types.JID) waBinary.Node {
		return waBinary.Node{Tag: "identity"}
	}})
}

// announceDevices tells that an account's device list changed. device is the one that came or went.
func (s *Server) announceDevices(ctx context.Context, device types.JID) error {
	return s.announce(ctx, announcement{
		kind: "devices", from: device.ToNonAD(), ownDevices: true, except: device,
		content: func(types.JID) waBinary.Node { return waBinary.Node{Tag: "update"} },
	})
}

// announcePicture tells that an account's picture changed; id is "" if it was removed.
func (s *Server) announcePicture(ctx context.Context, account types.JID, id string) error {
	return s.announce(ctx, announcement{kind: "picture", from: account, content: func(about types.JID) waBinary.Node {
		if id == "" {
			return waBinary.Node{Tag: "delete", Attrs: waBinary.Attrs{"jid": about}}
		}
		return waBinary.Node{Tag: "set", Attrs: waBinary.Attrs{"jid": about, "id": id}}
	}})
}

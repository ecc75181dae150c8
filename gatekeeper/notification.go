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

// announce tells everybody who exchanged messages with an account that something about it changed. content makes the
// notification for a partner's or a WhatsApp client. device is whose change it is, 0 for the account.
func (s *Server) announce(ctx context.Context, account types.JID, kind string, alsoOwn bool, content func(about types.JID) waBinary.Node) error {
	about, err := s.directory.find(ctx, account)
	if err != nil {
		return fmt.Errorf("failed to announce %s: %w", kind, err)
	}
	contacts, err := s.state.Contacts(ctx, about.JID)
	if err != nil {
		return fmt.Errorf("failed to announce %s: %w", kind, err)
	}
	if alsoOwn {
		contacts = append(contacts, about.JID)
	}
	for _, contact := range contacts {
		to, err := s.directory.find(ctx, contact)
		if errors.Is(err, state.ErrUnknown) {
			continue // has left
		} else if err != nil {
			return fmt.Errorf("failed to announce %s: %w", kind, err)
		}
		from := about.as(to.IsInterop(), account.Device)
		for _, device := range to.devices {
			if to.JID == about.JID && device == account.Device {
				continue // knows it already
			}
			if err = s.notify(to, device, from, about.as(true, account.Device), kind, content(from)); err != nil {
				return err
			}
		}
	}
	return nil
}

// announceIdentity tells that a device has a new identity key.
func (s *Server) announceIdentity(ctx context.Context, device types.JID) error {
	return s.announce(ctx, device, "encrypt", false, func(types.JID) waBinary.Node { return waBinary.Node{Tag: "identity"} })
}

// announceDevices tells that an account's device list changed. device is the one that came or went.
func (s *Server) announceDevices(ctx context.Context, device types.JID) error {
	about := device.ToNonAD()
	return s.announce(ctx, about, "devices", true, func(types.JID) waBinary.Node { return waBinary.Node{Tag: "update"} })
}

// announcePicture tells that an account's picture changed; id is "" if it was removed.
func (s *Server) announcePicture(ctx context.Context, account types.JID, id string) error {
	return s.announce(ctx, account, "picture", false, func(about types.JID) waBinary.Node {
		if id == "" {
			return waBinary.Node{Tag: "delete", Attrs: waBinary.Attrs{"jid": about}}
		}
		return waBinary.Node{Tag: "set", Attrs: waBinary.Attrs{"jid": about, "id": id}}
	})
}

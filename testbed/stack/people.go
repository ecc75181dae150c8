package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"postern/testbed/matrixuser"
	"postern/testbed/whatsapp"
)

// firstPhone is the first contact's number; the others follow. Nobody outside the sandbox is ever called.
const firstPhone = 4915112345000

// NewUser registers a Matrix user on the stack's homeserver and logs it in.
func (s *Stack) NewUser(ctx context.Context, localpart string) (*matrixuser.User, error) {
	account, err := s.Homeserver.CreateUser(ctx, localpart, localpart+"-"+rand.Text()[:8])
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.Dir("users"), localpart+"-")
	if err != nil {
		return nil, fmt.Errorf("failed to make a folder for %s: %w", localpart, err)
	}
	user, err := matrixuser.New(ctx, matrixuser.Options{HomeserverURL: s.Homeserver.URL(), Account: account, Dir: dir})
	if err != nil {
		return nil, err
	}
	s.onClose(user.Close)
	return user, nil
}

// Contact is a WhatsApp user.
type Contact struct {
	Name string
	// Phone is in international form with a plus.
	Phone string
	// JID is the account's address, without a device.
	JID types.JID
	// Devices are connected. The first is the one that writes.
	Devices []*whatsapp.Device
}

// Device is the contact's first device.
func (c *Contact) Device() *whatsapp.Device { return c.Devices[0] }

// NewContact makes a WhatsApp account that accepts third-party chats, with devices that are connected.
func (s *Stack) NewContact(ctx context.Context, name string, devices int) (*Contact, error) {
	s.lock.Lock()
	phone := fmt.Sprintf("+%d", firstPhone+s.phones)
	s.phones++
	s.lock.Unlock()
	if err := s.Gatekeeper.CreateAccount(ctx, phone, name); err != nil {
		return nil, err
	}
	contact := &Contact{Name: name, Phone: phone, JID: types.NewJID(strings.TrimPrefix(phone, "+"), types.DefaultUserServer)}
	for range devices {
		device, err := whatsapp.New(ctx, whatsapp.Options{
			Phone: phone, Name: name, Directory: s.Gatekeeper, ChatURL: s.Gatekeeper.ChatURL(), Dir: s.Dir("contacts"),
		})
		if err != nil {
			return nil, err
		}
		s.onClose(device.Close)
		contact.Devices = append(contact.Devices, device)
	}
	for _, device := range contact.Devices {
		if err := device.Connect(ctx); err != nil {
			return nil, err
		}
	}
	return contact, nil
}

package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/jsuser"
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
	return s.newDevice(ctx, account)
}

// NewDevice logs a user in again, with another device.
func (s *Stack) NewDevice(ctx context.Context, of *matrixuser.User) (*matrixuser.User, error) {
	account, err := s.Homeserver.Login(ctx, of.Account())
	if err != nil {
		return nil, err
	}
	return s.newDevice(ctx, account)
}

// newDevice starts a client for a device that is logged in.
func (s *Stack) newDevice(ctx context.Context, account *homeserver.Account) (*matrixuser.User, error) {
	dir, err := os.MkdirTemp(s.Dir("users"), "user-")
	if err != nil {
		return nil, fmt.Errorf("failed to make a folder for %s: %w", account.UserID, err)
	}
	user, err := matrixuser.New(ctx, matrixuser.Options{HomeserverURL: s.Homeserver.URL(), Account: account, Dir: dir})
	if err != nil {
		return nil, err
	}
	s.onClose(user.Close)
	return user, nil
}

// newJSUser is NewUser for a user of matrix-js-sdk.
func (s *Stack) newJSUser(ctx context.Context, localpart string, excludeInsecure bool) (*jsuser.User, error) {
	account, err := s.Homeserver.CreateUser(ctx, localpart, localpart+"-"+rand.Text()[:8])
	if err != nil {
		return nil, err
	}
	options, err := s.jsOptions(account)
	if err != nil {
		return nil, err
	}
	user, err := jsuser.New(ctx, options, excludeInsecure)
	if err != nil {
		return nil, err
	}
	s.onClose(user.Close)
	return user, nil
}

// NewJSDevice logs a further device of a user of matrix-js-sdk in, and lets the first sign it. It does not get the private keys of the
// user's identity: as long as it excludes insecure devices it does not write.
func (s *Stack) NewJSDevice(ctx context.Context, first *jsuser.User) (*jsuser.User, error) {
	account, err := s.Homeserver.Login(ctx, first.Account())
	if err != nil {
		return nil, err
	}
	options, err := s.jsOptions(account)
	if err != nil {
		return nil, err
	}
	device, err := jsuser.NewDevice(ctx, options, false)
	if err != nil {
		return nil, err
	}
	s.onClose(device.Close)
	return device, first.SignDevice(ctx, id.DeviceID(account.DeviceID))
}

func (s *Stack) jsOptions(account *homeserver.Account) (jsuser.Options, error) {
	node, args, err := s.builder.JSClient()
	if err != nil {
		return jsuser.Options{}, err
	}
	dir, err := os.MkdirTemp(s.Dir("users"), "js-")
	if err != nil {
		return jsuser.Options{}, fmt.Errorf("failed to make a folder for %s: %w", account.UserID, err)
	}
	return jsuser.Options{HomeserverURL: s.Homeserver.URL(), Account: account, Dir: dir, Node: node, Args: args}, nil
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

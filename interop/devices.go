package interop

import (
	"context"
	"errors"
	"sync"

	"go.mau.fi/whatsmeow/types"
)

const (
	// maxDevices is how many devices of a contact get a message. WhatsApp allows 5; more is nonsense, and each costs a
	// ciphertext.
	maxDevices = 64
	// maxKnownLists is how many contacts' device lists are kept in memory.
	maxKnownLists = 1024
)

// errNoDevices: the gatekeeper names no device of the contact.
var errNoDevices = errors.New("contact has no devices")

// deviceCache remembers contacts' devices for as long as a connection lasts: while it does, the gatekeeper tells what
// changes, and refuses messages for a list that is stale.
type deviceCache struct {
	mu    sync.Mutex
	lists map[types.JID][]types.JID // nil until first used
}

func (d *deviceCache) get(contact types.JID) ([]types.JID, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	devices, known := d.lists[contact]
	return devices, known
}

func (d *deviceCache) put(contact types.JID, devices []types.JID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lists == nil || len(d.lists) >= maxKnownLists {
		d.lists = make(map[types.JID][]types.JID)
	}
	d.lists[contact] = devices
}

// forget drops a contact's list, or with an empty JID all.
func (d *deviceCache) forget(contact types.JID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if contact.IsEmpty() {
		d.lists = nil
	} else {
		delete(d.lists, contact)
	}
}

// devicesOf returns the devices of contacts, asking the gatekeeper for those that are not known. A contact's error is in
// problems; an error of the request concerns all that were asked for.
func (c *connection) devicesOf(ctx context.Context, contacts []types.JID) (devices map[types.JID][]types.JID, problems map[types.JID]error, err error) {
	devices = make(map[types.JID][]types.JID, len(contacts))
	var unknown []types.JID
	for _, contact := range contacts {
		if contact.Server == types.InteropServer {
			devices[contact] = []types.JID{contact} // has exactly one device, number 0
		} else if list, known := c.run.devices.get(contact); known {
			devices[contact] = list
		} else {
			unknown = append(unknown, contact)
		}
	}
	if len(unknown) == 0 {
		return devices, nil, nil
	}
	lists, err := c.fetchDevices(ctx, unknown)
	if err != nil {
		return devices, nil, err
	}
	problems = make(map[types.JID]error)
	for _, contact := range unknown {
		switch list := lists[contact]; {
		case list.refusal != nil:
			problems[contact] = list.refusal
		case len(list.devices) == 0:
			problems[contact] = errNoDevices
		default:
			devices[contact] = list.devices
			c.run.devices.put(contact, list.devices)
		}
	}
	return devices, problems, nil
}

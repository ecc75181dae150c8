package gatekeeper

import (
	"context"
	"sync"

	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
)

// maxKnownUsers bounds the directory's memory; beyond it everything is read anew.
const maxKnownUsers = 50_000

// user is an account as messages need it: who it is, which devices can be written to, whom it blocked. It is a snapshot
// that never changes.
type user struct {
	state.Account
	// devices are those that uploaded their keys, lowest number first.
	devices []uint16
	blocked map[types.JID]bool
	// refused are the partners, by integrator, that a WhatsApp user did not choose.
	refused map[uint16]bool
}

// as returns the address of a device of the user as the other kind of client knows it: WhatsApp clients know everybody
// by LID, partner clients know WhatsApp users by phone number.
func (u *user) as(partner bool, device uint16) types.JID {
	address := u.LID
	if partner {
		address = u.JID
	}
	address.Device = device
	return address
}

func (u *user) hasDevice(device uint16) bool {
	for _, known := range u.devices {
		if known == device {
			return true
		}
	}
	return false
}

// directory finds users by any of their addresses and remembers them. Whoever changes an account, its devices, its
// blocklist or its choices must call forget afterwards.
type directory struct {
	state *state.State

	mu    sync.Mutex
	users map[types.JID]*user // by JID and by LID, without device
	// changes counts calls of forget, so that a snapshot read before a change is not remembered after it.
	changes uint64
}

func newDirectory(s *state.State) *directory {
	return &directory{state: s, users: make(map[types.JID]*user)}
}

// find returns the user that a JID or LID names, whatever its device, or [state.ErrUnknown].
func (d *directory) find(ctx context.Context, address types.JID) (*user, error) {
	address = address.ToNonAD()
	d.mu.Lock()
	found, changes := d.users[address], d.changes
	d.mu.Unlock()
	if found != nil {
		return found, nil
	}
	found, err := d.read(ctx, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changes == changes {
		if len(d.users) >= maxKnownUsers {
			clear(d.users)
		}
		d.users[found.JID], d.users[found.LID] = found, found
	}
	return found, nil
}

func (d *directory) read(ctx context.Context, address types.JID) (*user, error) {
	account, err := d.state.Account(ctx, address)
	if err != nil {
		return nil, err
	}
	found := &user{Account: *account, blocked: make(map[types.JID]bool), refused: make(map[uint16]bool)}
	devices, err := d.state.Devices(ctx, account.JID)
	if err != nil {
		return nil, err
	}
	for _, device := range devices {
		if device.Identity != nil {
			found.devices = append(found.devices, device.JID.Device)
		}
	}
	blocked, err := d.state.Blocklist(ctx, account.JID)
	if err != nil {
		return nil, err
	}
	for _, contact := range blocked {
		found.blocked[contact] = true
	}
	choices, err := d.state.Choices(ctx, account.JID)
	if err != nil {
		return nil, err
	}
	for _, integrator := range choices.Refused {
		found.refused[integrator] = true
	}
	return found, nil
}

// forget makes the next find read the account again. account is its JID, not its LID.
func (d *directory) forget(account types.JID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	if known := d.users[account.ToNonAD()]; known != nil {
		delete(d.users, known.JID)
		delete(d.users, known.LID)
	}
}

// mayWrite tells whether one may write to the other at all: users of a partner and WhatsApp users who have third-party chats
// on and did not refuse that partner, WhatsApp users among themselves; never partner users among themselves, who need no
// gatekeeper.
func mayWrite(from, to *user) bool {
	switch {
	case from.IsInterop() && to.IsInterop():
		return false
	case from.IsInterop():
		return to.accepts(from)
	case to.IsInterop():
		return from.accepts(to)
	default:
		return true
	}
}

// accepts tells whether a WhatsApp user wants chats with users of the partner that the other one is with.
func (u *user) accepts(partners *user) bool {
	return u.ThirdParty && !u.refused[partners.JID.Integrator]
}

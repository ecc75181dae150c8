package connector

import (
	"context"
	"fmt"
	"sync"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// profiles lets contacts' profiles change beside their messages. bridgev2 has one ghost for a contact, reads it without a lock
// while it handles an event of theirs, in any user's chat, and asks the homeserver and the contact's picture in the middle of a
// change. So a change is made to a copy, and the ghost becomes what the copy is when no event of the contact is being handled.
// Nobody waits for that. A lock held for the time of the change was turned down: one slow homeserver would hold up all chats with the
// contact.
//
// Not covered are the few changes that bridgev2 makes by itself: when a user looks for a contact by number, and when the homeserver did
// not take a profile the first time. The zero value is ready. Safe for concurrent use.
type profiles struct {
	lock sync.Mutex
	used map[networkid.UserID]*usedProfile
}

// usedProfile is there while events of a contact are being handled.
type usedProfile struct {
	events int
	ghost  *bridgev2.Ghost // becomes next after the last event; nil if nothing changed
	next   mxdatabase.Ghost
}

// use keeps a contact's ghost as it is until release is called.
func (p *profiles) use(contact networkid.UserID) (release func()) {
	p.lock.Lock()
	defer p.lock.Unlock()
	used := p.used[contact]
	if used == nil {
		if p.used == nil {
			p.used = make(map[networkid.UserID]*usedProfile)
		}
		used = &usedProfile{}
		p.used[contact] = used
	}
	used.events++
	return func() {
		p.lock.Lock()
		defer p.lock.Unlock()
		if used.events--; used.events > 0 {
			return
		}
		delete(p.used, contact)
		if used.ghost != nil {
			*used.ghost.Ghost = used.next
		}
	}
}

// publish makes the ghost what next is, now or as soon as nobody uses it.
func (p *profiles) publish(ghost *bridgev2.Ghost, next *mxdatabase.Ghost) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if used := p.used[next.ID]; used != nil {
		used.ghost, used.next = ghost, *next
	} else {
		*ghost.Ghost = *next
	}
}

// changeProfile changes a contact, in the database and at the homeserver, and then in memory. change gets a copy of what is stored,
// and nobody else has it. Contacts whom nobody has a chat with are left alone. The caller holds the contact's lock in ghosts.
func (n *Network) changeProfile(
	ctx context.Context, contact networkid.UserID, change func(copied *bridgev2.Ghost) error,
) error {
	ghost, err := n.bridge.GetExistingGhostByID(ctx, contact)
	if err != nil {
		return fmt.Errorf("failed to load a contact: %w", err)
	} else if ghost == nil {
		return nil
	}
	stored, err := n.bridge.DB.Ghost.GetByID(ctx, contact)
	if err != nil {
		return fmt.Errorf("failed to load a contact's profile: %w", err)
	} else if stored == nil {
		return nil
	}
	if err = change(&bridgev2.Ghost{Ghost: stored, Bridge: ghost.Bridge, Log: ghost.Log, Intent: ghost.Intent}); err != nil {
		return err
	}
	n.profiles.publish(ghost, stored)
	return nil
}

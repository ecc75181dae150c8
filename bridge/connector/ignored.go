package connector

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"postern/bridge/homeserver"
	"postern/portal"
)

// Who ignores a contact in their Matrix client blocks them, and who stops ignoring them unblocks them. A homeserver does not tell a
// bridge when the list changes, so it is read, in the user's name, when something happens in one of their chats: at most once a
// minute. Without double puppeting it cannot be read.

// ignoredEvery is the least time between two looks at the list of one login.
const ignoredEvery = time.Minute

// ignoredTimeout bounds one look.
const ignoredTimeout = 30 * time.Second

// ignoredLooks remembers when the list was last looked at. The zero value is ready.
type ignoredLooks struct {
	lock sync.Mutex
	last time.Time
	// comparing is held while the list is compared.
	comparing sync.Mutex
}

// due tells whether it is time for another look, and notes that there is one.
func (l *ignoredLooks) due(now time.Time) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	if now.Sub(l.last) < ignoredEvery {
		return false
	}
	l.last = now
	return true
}

// lookAtIgnored looks at the list soon, unless that was done lately.
func (c *Client) lookAtIgnored() {
	if c.ignored.due(c.network.Clock.Now()) {
		c.network.Spawn(func(ctx context.Context) {
			ctx = c.login.Log.WithContext(ctx)
			if err := c.compareIgnored(ctx); err != nil && !errors.Is(err, homeserver.ErrNoPuppet) {
				zerolog.Ctx(ctx).Warn().Err(err).Msg("Failed to look whom a user ignores")
			}
		})
	}
}

// compareIgnored blocks whom the user ignores since the last look, and unblocks whom they do not ignore any more. What changed is
// noted after it was carried out, so a kill in between repeats it. Errors: [homeserver.ErrNoPuppet], those of the homeserver and the
// database.
func (c *Client) compareIgnored(ctx context.Context) error {
	if !c.IsLoggedIn() {
		return nil
	}
	c.ignored.comparing.Lock()
	defer c.ignored.comparing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, ignoredTimeout)
	defer cancel()
	users, err := c.network.Matrix.IgnoredUsers(ctx, c.login.User.DoublePuppet(ctx))
	if err != nil {
		return err
	}
	ignored := make(map[types.JID]bool)
	for _, user := range users {
		contact, ok := c.network.Matrix.ParseGhostMXID(user)
		if !ok {
			continue
		}
		if gatekeeper, jid, err := portal.ParseUserID(contact); err == nil && gatekeeper == c.gatekeeper.ID && isContact(jid) {
			ignored[jid] = true
		}
	}
	known, err := c.contacts().Blocks(ctx)
	if err != nil {
		return err
	}
	for _, contact := range known {
		if contact.Ignored && !ignored[contact.JID] {
			err = errors.Join(err, c.followIgnored(ctx, contact.JID, false))
		} else if contact.Ignored {
			delete(ignored, contact.JID)
		}
	}
	for jid := range ignored {
		err = errors.Join(err, c.followIgnored(ctx, jid, true))
	}
	return err
}

func (c *Client) followIgnored(ctx context.Context, jid types.JID, ignored bool) error {
	change := c.Unblock
	if ignored {
		change = c.Block
	}
	var why refusal
	if _, err := change(ctx, jid); err != nil && !errors.As(err, &why) {
		return err
	}
	return c.contacts().SetIgnored(ctx, jid, ignored)
}

package connector

import (
	"context"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/portal"
	"postern/puppet"
)

// RequestList is who asks to write to a user, the newest first.
type RequestList struct {
	// Asking is how many there are, which may be more than are listed.
	Asking   int       `json:"asking"`
	Requests []Request `json:"requests"`
}

// Request is one contact who asks.
type Request struct {
	Contact networkid.UserID `json:"contact"`
	// Name is the name that they chose with their number, or the number alone.
	Name string `json:"name"`
	// Address is what names them in a command.
	Address string    `json:"address"`
	Asked   time.Time `json:"asked"`
	// Shown is set if there is an invitation.
	Shown bool `json:"invitation"`
}

// Requests returns who asks, at most limit.
func (c *Client) Requests(ctx context.Context, limit int) (*RequestList, error) {
	list := &RequestList{Requests: []Request{}}
	var err error
	if list.Asking, _, err = c.contacts().CountRequests(ctx); err != nil {
		return nil, err
	}
	asking, err := c.contacts().Requests(ctx, puppet.Asks, limit)
	if err != nil {
		return nil, err
	}
	for _, contact := range asking {
		user, err := portal.UserID(c.enlistment.Gatekeeper, contact.JID)
		if err != nil {
			continue
		}
		profile := &puppet.Profile{JID: contact.JID, PushName: c.keptName(ctx, contact.JID)}
		list.Requests = append(list.Requests, Request{
			Contact: user, Name: profile.FullName(), Address: address(contact.JID), Asked: contact.Asked, Shown: contact.Shown,
		})
	}
	return list, nil
}

// keptName is the name that came with the first message that is kept, "" if none is.
func (c *Client) keptName(ctx context.Context, jid types.JID) string {
	_, data, err := c.kept().First(ctx, jid)
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to look for a contact's name")
	} else if data != nil {
		if form, _, err := parseKept(data); err == nil {
			return form.PushName
		}
	}
	return ""
}

// address is what a user writes to name a contact: the phone number, or the account if there is none.
func address(jid types.JID) string {
	if phone := puppet.Phone(jid); phone != "" {
		return phone
	}
	return jid.User
}

// contactByAddress finds a contact about whom something was decided, by what address makes of them or by a phone number in
// international form as people write it. It returns false if there is none.
func (c *Client) contactByAddress(ctx context.Context, words string) (types.JID, bool, error) {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, cutWord(words))
	for _, server := range []string{types.DefaultUserServer, types.HiddenUserServer, types.MessengerServer} {
		jid := types.NewJID(digits, server)
		if _, err := portal.UserID(c.enlistment.Gatekeeper, jid); err != nil {
			return jid, false, refusal("That is not a contact. `requests` shows what to write.")
		}
		contact, err := c.contacts().Contact(ctx, jid)
		if err != nil {
			return jid, false, err
		} else if contact.Request != puppet.NeverAsked || contact.Blocked {
			return jid, true, nil
		}
	}
	return types.EmptyJID, false, nil
}

// forgetOldRequests erases what was kept for too long.
func (c *Client) forgetOldRequests(ctx context.Context) {
	if err := c.kept().Prune(ctx, time.Now().Add(-keptAge)); err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to forget what contacts wrote long ago who were not accepted")
	}
}

package gatekeeper

import (
	"context"
	"errors"
	"net/http"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// A partner's user may ask a WhatsApp user whose third-party chats are off to turn them on. The offer names this ping and not
// how it looks; all of it is our choice.

const (
	// pingPause is the least time between two pings of one user to another, and pingsPerDay how many one user may send to
	// all others within a day, so that nobody is pestered.
	pingPause   = 7 * 24 * time.Hour
	pingsPerDay = 10
)

// handleReach takes a ping. Who blocked its sender is not shown it, and the sender is not told that.
func (c *session) handleReach(iq *waBinary.Node) ([]waBinary.Node, error) {
	address, ok := jid(child(iq, "ping"), "jid")
	if !ok {
		return nil, errBadRequest
	}
	found, err := c.server.directory.find(c.ctx, address)
	if errors.Is(err, state.ErrUnknown) || err == nil && found.IsInterop() {
		return nil, errNoSuchUser
	} else if err != nil {
		return nil, err
	}
	self, err := c.self()
	if err != nil {
		return nil, err
	} else if mayWrite(self, found) {
		return []waBinary.Node{{Tag: "interop", Attrs: waBinary.Attrs{"state": "on"}}}, nil
	}
	blocked, err := c.server.state.IsBlocked(c.ctx, found.JID, self.JID)
	if err != nil {
		return nil, err
	}
	now := c.server.clock.unix()
	noted, err := c.server.state.AddPing(c.ctx, found.JID, self.JID, !blocked, now, now-int64(pingPause/time.Second), now-24*60*60, pingsPerDay)
	if err != nil {
		return nil, err
	} else if !noted {
		return nil, &stanzaError{code: codeTooMany, text: "rate-overlimit"}
	}
	if !blocked {
		c.note(state.Saw{Kind: "ping", To: wire.FormatJID(found.JID)})
		c.server.refreshPhone(found)
	}
	return nil, nil
}

// answerPings tells those who asked that a WhatsApp user turned third-party chats on, if they may write now.
func (s *Server) answerPings(ctx context.Context, account types.JID) error {
	pings, err := s.state.Pings(ctx, account)
	if err != nil {
		return err
	}
	about, err := s.directory.find(ctx, account)
	if err != nil {
		return err
	}
	for _, ping := range pings {
		to, err := s.directory.find(ctx, ping.Sender)
		if errors.Is(err, state.ErrUnknown) {
			continue // has left
		} else if err != nil {
			return err
		} else if !mayWrite(to, about) {
			continue // with a partner that was not chosen
		}
		for _, device := range to.devices {
			content := waBinary.Node{Tag: "reachable"}
			if err = s.notify(to, device, about.JID, about.JID, "interop", content); err != nil {
				return err
			}
		}
		if err = s.state.AnswerPing(ctx, account, ping.Sender); err != nil {
			return err
		}
	}
	return nil
}

// controlPings lists who asks a WhatsApp user to turn third-party chats on.
func (s *Server) controlPings(r *http.Request) (any, error) {
	found, err := s.accountOf(r)
	if err != nil {
		return nil, err
	}
	pings, err := s.state.Pings(r.Context(), found.JID)
	if err != nil {
		return nil, err
	}
	type shown struct {
		From string `json:"from"`
		Sent int64  `json:"sent"`
	}
	list := make([]shown, 0, len(pings))
	for _, ping := range pings {
		if sender, err := s.directory.find(r.Context(), ping.Sender); err == nil {
			list = append(list, shown{sender.UserVisibleID, ping.Sent})
		}
	}
	return map[string]any{"pings": list}, nil
}

package gatekeeper

import (
	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
)

// handleLeave erases the account of a partner's user who leaves. The session ends after the answer.
func (c *session) handleLeave(iq *waBinary.Node) ([]waBinary.Node, error) {
	if !c.partner || child(iq, "delete").Tag == "" {
		return nil, errBadRequest
	}
	if err := c.server.state.RemoveAccount(c.ctx, c.device); err != nil {
		return nil, err
	}
	c.server.directory.forget(c.device)
	c.note(state.Saw{Kind: "leave"})
	c.answer(iq, nil, nil)
	c.end(removedError())
	return nil, errAnswered
}

package gatekeeper

import (
	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
)

// handleInterop is what only partners' users ask for.
func (c *session) handleInterop(iq *waBinary.Node) ([]waBinary.Node, error) {
	switch {
	case !c.partner:
		return nil, errBadRequest
	case child(iq, "delete").Tag != "":
		return c.handleLeave(iq)
	default:
		return c.handleReach(iq)
	}
}

// handleLeave erases the account of a partner's user who leaves. The session ends after the answer.
func (c *session) handleLeave(iq *waBinary.Node) ([]waBinary.Node, error) {
	if err := c.server.state.RemoveAccount(c.ctx, c.device); err != nil {
		return nil, err
	}
	c.server.directory.forget(c.device)
	c.note(state.Saw{Kind: "leave"})
	c.answer(iq, nil, nil)
	c.end(removedError())
	return nil, errAnswered
}

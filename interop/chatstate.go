package interop

import (
	"context"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// maxChatStatesWaiting is how many events may wait in a chat for a typing notice to be worth queueing: behind more, it
// would tell of the past.
const maxChatStatesWaiting = 8

// SendChatState tells a contact that the user types or stopped. Nothing is stored.
// Errors: ErrUnknownContact for a JID that is no contact, ErrNotConnected.
func (c *Client) SendChatState(_ context.Context, chat types.JID, composing bool) error {
	if !isContact(chat) {
		return ErrUnknownContact
	}
	connection := c.connected()
	if connection == nil {
		return ErrNotConnected
	}
	state := "paused"
	if composing {
		state = "composing"
	}
	return connection.write(waBinary.Node{
		Tag:     "chatstate",
		Attrs:   waBinary.Attrs{"to": chat.ToNonAD()},
		Content: []waBinary.Node{{Tag: state}},
	})
}

// handleChatState passes a typing notice on. It is not acknowledged and not repeated.
func (c *connection) handleChatState(node *waBinary.Node) {
	from := jidAttr(node, "from")
	if !isContact(from) {
		return
	}
	event := &ChatState{Chat: from.ToNonAD()}
	if composing := child(node, "composing"); composing != nil {
		event.Composing = true
		event.Recording = attr(composing, "media") == "audio"
	} else if child(node, "paused") == nil {
		return
	}
	if c.run.queues.length(event.Chat) < maxChatStatesWaiting {
		c.run.queues.add(event.Chat, job{run: func() { c.run.tell(event) }})
	}
}

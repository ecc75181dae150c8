package interop

import (
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Codes of a message's ack that have a meaning of their own; see docs/protocol.md.
const (
	ackUnknownContact = 404
	ackNotReachable   = 403
	ackStaleDevices   = 409
	ackTooLarge       = 413
	ackMalformed      = 479
)

// handleAck learns the fate of a message. Acks of other stanzas are of no interest.
func (c *connection) handleAck(node *waBinary.Node) {
	if attr(node, "class") != "message" {
		return
	}
	o := &c.run.outbox
	message := o.untrack(attr(node, "id"), c)
	if message == nil {
		return // of a retry, or of an earlier connection
	}
	code := intAttr(node, "error")
	c.run.log.Debug().Str("message_id", message.id).Str("code", cut(attr(node, "error"), maxErrorText)).Msg("The gatekeeper answered a message")
	if attr(node, "error") == "" {
		o.finish(message, nil)
	} else {
		if code == ackStaleDevices {
			c.run.devices.forget(message.chat)
		}
		o.refuse(message, &StanzaError{Code: code, Text: "message refused"})
	}
	o.mu.Lock()
	o.releaseIfReady(message.chat)
	if o.unacked <= sendWindow/2 {
		o.wakeLocked()
	}
	o.mu.Unlock()
}

// errRequestRefused: the gatekeeper gives neither devices nor keys of one contact, but refuses to be asked.
var errRequestRefused = errors.New("the gatekeeper refuses to be asked for the contact")

// isOurs tells whether the gatekeeper refused something because of what it was, so that it will again. 5xx and what is unknown are the
// gatekeeper's own trouble, and so are 408 and 429: it takes too long, or has too much to do.
func isOurs(reason error) bool {
	var refusal *StanzaError
	return errors.As(reason, &refusal) && refusal.Code >= 400 && refusal.Code < 500 && refusal.Code != 408 && refusal.Code != 429
}

// untrack takes a message off the wire; it stays tracked until it is settled. It returns nil if the message was not
// written to this connection.
func (o *outbox) untrack(id types.MessageID, from *connection) *tracked {
	o.mu.Lock()
	defer o.mu.Unlock()
	message := o.tracked[id]
	if message == nil || message.connection != from {
		return nil
	}
	message.connection = nil
	o.unacked--
	if message.written.After(o.newestAcked) {
		o.newestAcked = message.written
	}
	return message
}

// checkAcks looks for messages whose acks should have come, and tells whether the connection is to be given up. That is so for
// the first time of each message: it may be the connection. After that only its chat waits, as after a refusal for now.
func (o *outbox) checkAcks(on *connection) (suspect bool) {
	now := o.run.client.options.Clock.Now()
	o.mu.Lock()
	var overdue []*tracked
	for _, message := range o.tracked {
		if message.connection != on || now.Sub(message.written) <= ackDeadline {
			continue
		}
		overdue = append(overdue, message)
		if tries := o.holdOf(message.chat).tries; tries[message.id] == 0 {
			tries[message.id], suspect = 1, true
		}
	}
	if suspect || len(overdue) == 0 {
		o.mu.Unlock()
		return suspect
	}
	newest := o.newestAcked
	for _, message := range overdue {
		message.connection = nil
		o.unacked--
	}
	o.mu.Unlock()
	for _, message := range overdue {
		if message.written.After(newest) {
			o.refuse(message, errAckOverdue)
		} else {
			o.refuse(message, ErrUnconfirmed)
		}
	}
	o.wake() // there is room for others
	return false
}

// verdict tells whether a reason that a message was refused for is final, and what the sender of it is told if so.
func verdict(reason error) (final error, permanent bool) {
	var refusal *StanzaError
	switch {
	case errors.Is(reason, errRequestRefused):
		return reason, false
	case errors.Is(reason, errNoDevices):
		return fmt.Errorf("%w: %w", ErrUnknownContact, reason), false
	case errors.Is(reason, ErrNoKeys):
		return fmt.Errorf("%w: %w", ErrNotReachable, reason), false
	case !errors.As(reason, &refusal):
		return reason, false
	}
	switch {
	case refusal.Code == ackUnknownContact:
		return fmt.Errorf("%w: %w", ErrUnknownContact, refusal), true
	case refusal.Code == ackNotReachable:
		return fmt.Errorf("%w: %w", ErrNotReachable, refusal), true
	case refusal.Code == ackTooLarge:
		return fmt.Errorf("%w: %w", ErrTooLarge, refusal), true
	case refusal.Code == ackStaleDevices:
		return refusal, false
	default: // among them ackMalformed
		return refusal, isOurs(refusal)
	}
}

// isOfMessage tells whether a reason that may pass is about the message or its chat, so that trying for ever would
// block what comes after it. Others are troubles of the gatekeeper's, which may take as long as they take.
func isOfMessage(reason error) bool {
	var refusal *StanzaError
	if errors.As(reason, &refusal) && !errors.Is(reason, errRequestRefused) {
		return refusal.Code == ackStaleDevices
	}
	return errors.Is(reason, errRequestRefused) || errors.Is(reason, ErrUnconfirmed) || errors.Is(reason, errNoDevices) || errors.Is(reason, ErrNoKeys)
}

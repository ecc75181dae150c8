package gatekeeper

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

const (
	// maxUnacked is how many stanzas a client may have that it did not acknowledge. whatsmeow loses the order of what
	// it gets when more than 2,048 wait for its handler.
	maxUnacked = 1000
	// mailBatch is how many stanzas are read and sent at a time.
	mailBatch = 128
)

// mailbox is what a session knows of its device's mailbox: what was sent on this connection and not acknowledged.
// Everything that is kept reaches a client through it, in the order in which it was stored.
type mailbox struct {
	mu      sync.Mutex
	unacked map[mailKey][]sentMail
	count   int
	freed   chan struct{} // has room for one; holds a value when count fell
}

// mailKey is what a client tells about the stanza that it acknowledges.
type mailKey struct{ class, id string }

type sentMail struct {
	seq    int64
	sender types.JID // canonical, without device
	kind   string    // the stanza's type
}

func (m *mailbox) sent(mail *state.Mail, kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unacked == nil {
		m.unacked = make(map[mailKey][]sentMail)
	}
	key := mailKey{mail.Class, mail.ID}
	m.unacked[key] = append(m.unacked[key], sentMail{mail.Seq, mail.Sender.ToNonAD(), kind})
	m.count++
}

// room returns how many more stanzas may be sent.
func (m *mailbox) room() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maxUnacked - m.count
}

// acked takes one stanza off the list and returns its place in the mailbox, 0 if there is none that fits. Acks without a
// type fit all, and so do those without a known sender.
func (m *mailbox) acked(class, id, kind string, sender types.JID) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := mailKey{class, id}
	list := m.unacked[key]
	for i, mail := range list {
		if kind != "" && kind != mail.kind || !sender.IsEmpty() && sender != mail.sender {
			continue
		}
		if len(list) == 1 {
			delete(m.unacked, key)
		} else {
			m.unacked[key] = append(list[:i:i], list[i+1:]...)
		}
		m.count--
		select {
		case m.freed <- struct{}{}:
		default:
		}
		return mail.seq
	}
	return 0
}

// deliver is the goroutine that sends the device's mail: first, marked as such, what waited when the client became
// active, then whatever comes.
func (c *session) deliver() {
	wake, end := c.server.state.Subscribe(c.device)
	defer end()
	last, err := c.deliverWaiting()
	for err == nil {
		if last, err = c.deliverMail(last, 0); err != nil {
			break
		}
		select {
		case <-wake:
		case <-c.ctx.Done():
			err = c.ctx.Err()
		}
	}
	if c.ctx.Err() == nil {
		c.log.Err(err).Msg("Failed to deliver mail")
		c.cancel()
	}
}

// deliverWaiting sends what waits, framed by what announces it and its end, and returns the place of the last of it.
func (c *session) deliverWaiting() (last int64, err error) {
	upTo, err := c.server.state.LastMail(c.ctx, c.device)
	if err != nil {
		return 0, err
	}
	waiting, err := c.server.state.Waiting(c.ctx, c.device)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, count := range waiting {
		total += count
	}
	err = c.writeAll(waBinary.Node{Tag: "ib", Content: []waBinary.Node{{Tag: "offline_preview", Attrs: waBinary.Attrs{
		"count": total, "message": waiting["message"], "receipt": waiting["receipt"],
		"notification": waiting["notification"], "appdata": 0,
	}}}})
	if err == nil && upTo > 0 {
		last, err = c.deliverMail(0, upTo)
	}
	if err != nil {
		return last, err
	}
	err = c.writeAll(waBinary.Node{Tag: "ib", Content: []waBinary.Node{{Tag: "offline", Attrs: waBinary.Attrs{"count": total}}}})
	return last, err
}

// deliverMail sends the mail after a place, up to another one or to the end if that is 0, and returns the place of the
// last one sent. It waits while too much is not acknowledged.
func (c *session) deliverMail(after, upTo int64) (last int64, err error) {
	for offline := 0; ; {
		room := c.mailbox.room()
		if room <= 0 {
			select {
			case <-c.mailbox.freed:
				continue
			case <-c.ctx.Done():
				return after, c.ctx.Err()
			}
		}
		mail, err := c.server.state.Mail(c.ctx, c.device, after, min(room, mailBatch))
		if err != nil {
			return after, err
		}
		stanzas := make([][]byte, 0, len(mail))
		for _, next := range mail {
			if upTo > 0 && next.Seq > upTo {
				break
			}
			stanza, kind, err := c.prepareMail(next, upTo > 0, offline)
			if err != nil {
				return after, err
			}
			offline++
			after = next.Seq
			c.mailbox.sent(next, kind)
			stanzas = append(stanzas, stanza)
		}
		if len(stanzas) == 0 {
			return after, nil
		}
		if err = c.writeStanzas(stanzas...); err != nil {
			return after, err
		}
		if upTo > 0 && after >= upTo {
			return after, nil
		}
	}
}

// prepareMail returns the stanza to send, with its number if it waited, and its type.
func (c *session) prepareMail(mail *state.Mail, waited bool, position int) (stanza []byte, kind string, err error) {
	if !waited && mail.Class == "message" {
		return mail.Stanza, "", nil // acks of messages have no type, so it need not be known
	}
	node, err := wire.DecodeStanza(mail.Stanza)
	if err != nil {
		return nil, "", fmt.Errorf("failed to decode mail %d: %w", mail.Seq, err)
	}
	if mail.Class != "message" {
		kind = text(node, "type")
	}
	if !waited {
		return mail.Stanza, kind, nil
	}
	node.Attrs["offline"] = strconv.Itoa(position)
	stanza, err = wire.EncodeStanza(*node)
	return stanza, kind, err
}

func (c *session) writeAll(nodes ...waBinary.Node) error {
	ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
	defer cancel()
	return c.conn.WriteNodes(ctx, nodes...)
}

func (c *session) writeStanzas(stanzas ...[]byte) error {
	ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
	defer cancel()
	return c.conn.WriteStanzas(ctx, stanzas...)
}

// handleAck takes what the client acknowledges out of its mailbox. An error code in it makes no difference: the client
// does not want the stanza again.
func (c *session) handleAck(ack *waBinary.Node) {
	kind := text(ack, "type")
	class := text(ack, "class")
	if class == "message" {
		kind = ""
		c.note(state.Saw{Kind: "ack message", ID: text(ack, "id")})
	}
	c.settle(class, kind, ack, text(ack, "id"))
}

// settle removes acknowledged stanzas. Only what was sent on this connection can be acknowledged on it.
func (c *session) settle(class, kind string, node *waBinary.Node, ids ...string) {
	var sender types.JID
	if to, ok := jid(node, "to"); ok {
		if from, err := c.server.directory.find(c.ctx, to); err == nil {
			sender = from.JID
		}
	}
	var done []int64
	for _, id := range ids {
		if seq := c.mailbox.acked(class, id, kind, sender); seq != 0 {
			done = append(done, seq)
		}
	}
	if len(done) > 0 {
		c.server.state.Remove(done...)
	}
}

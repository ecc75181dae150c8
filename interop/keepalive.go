package interop

import (
	"errors"
	"time"
)

const (
	// keepaliveMin and keepaliveMax bound the pause between two looks at the channel. Those of WhatsApp's own clients.
	keepaliveMin = 20 * time.Second
	keepaliveMax = 30 * time.Second
	// keepaliveDeadline is how long anything at all may take to arrive after a ping.
	keepaliveDeadline = 10 * time.Second
	// ackDeadline is how long the gatekeeper may take to acknowledge a message. It is checked at every look, so it may
	// take keepaliveMax longer to be noticed.
	ackDeadline = 30 * time.Second
)

var (
	errSilent     = errors.New("gatekeeper does not answer")
	errAckOverdue = errors.New("gatekeeper does not acknowledge messages")
)

// keepalive is the timer that looks after a connection; a goroutine runs only while it looks. Guarded by connection.mu.
type keepalive struct {
	timer    Timer
	pingedAt time.Time // zero if no ping waits for an answer
	sessions uint64    // the session cache's clock at the last look
	// maintained is when the maintenance was started last.
	maintained time.Time
}

func (k *keepalive) stop() {
	if k.timer != nil {
		k.timer.Stop()
	}
}

// startKeepalive begins to look after the connection, until it is closed.
func (c *connection) startKeepalive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.keepalive.maintained = c.run.client.options.Clock.Now() // setUp does it
		c.scheduleLook(c.keepalivePause())
	}
}

func (c *connection) keepalivePause() time.Duration {
	return keepaliveMin + time.Duration(c.run.client.options.Jitter()*float64(keepaliveMax-keepaliveMin))
}

// scheduleLook sets the timer. Callers hold mu.
func (c *connection) scheduleLook(pause time.Duration) {
	c.keepalive.timer = c.run.client.options.Clock.AfterFunc(pause, c.look)
}

// look checks for signs of life and pings if there were none lately. Any stanza is a sign of life.
func (c *connection) look() {
	now := c.run.client.options.Clock.Now()
	lastInbound := c.opened.Add(time.Duration(c.lastInbound.Load()))
	overdue := c.run.outbox.checkAcks(c)

	c.mu.Lock()
	if c.cause != nil {
		c.mu.Unlock()
		return
	}
	c.keepalive.sessions = c.run.client.sessions.shrink(c.keepalive.sessions)
	if now.Sub(c.keepalive.maintained) >= maintainEvery {
		c.keepalive.maintained = now
		c.run.spawn(c.maintain)
	}
	var problem error
	ping := false
	switch pinged := c.keepalive.pingedAt; {
	case !pinged.IsZero() && lastInbound.Before(pinged):
		problem = errSilent
	case overdue:
		problem = errAckOverdue
	case now.Sub(lastInbound) >= keepaliveMin:
		ping = true
		c.keepalive.pingedAt = now
		c.scheduleLook(keepaliveDeadline)
	default:
		c.keepalive.pingedAt = time.Time{}
		c.scheduleLook(c.keepalivePause())
	}
	c.mu.Unlock()

	if problem != nil {
		c.close(problem)
	} else if ping {
		if id, ok := c.expect(nil); ok {
			c.writeLogged(requestNode(id, request{namespace: "w:p", kind: "get"}))
		}
	}
}

package interop

import "time"

// wokenPause is the least pause before the next try to connect, whoever wants it sooner: who wakes a client again and again
// makes it try once a second at most.
const wokenPause = reconnectMin

// Wake ends the pause of a client that waits to try again, since there is reason to believe that the gatekeeper is there and
// has something. If a try is under way and fails, the pause after it is ended. The pauses after further failures are as long as
// they would have been. To a client that is connected or not started it does nothing.
func (c *Client) Wake() {
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current == nil {
		return
	}
	select {
	case current.woken <- struct{}{}:
	default: // once is enough
	}
}

// forgetWaking is for a run that was connected, so that whoever woke it has what they wanted.
func (r *run) forgetWaking() {
	select {
	case <-r.woken:
	default:
	}
}

// pause is sleep that Wake shortens to wokenPause.
func (r *run) pause(d time.Duration) {
	clock := r.client.options.Clock
	began := clock.Now()
	passed := make(chan struct{})
	timer := clock.AfterFunc(d, func() { close(passed) })
	defer timer.Stop()
	select {
	case <-passed:
	case <-r.ctx.Done():
	case <-r.woken:
		if rest := min(d, wokenPause) - clock.Now().Sub(began); rest > 0 {
			r.sleep(rest)
		}
	}
}

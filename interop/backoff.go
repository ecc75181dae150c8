package interop

import "time"

const (
	// reconnectMin and reconnectMax bound the pause before the next try to connect.
	reconnectMin = time.Second
	reconnectMax = 5 * time.Minute
	// stableAfter is how long a connection must have lasted to count as a success. A gatekeeper that accepts logins and
	// then drops them is not to be asked every second by every client.
	stableAfter = 5 * time.Second
)

// backoff makes the pauses between tries: each is a random part of a range that doubles up to a cap ("full jitter"),
// so that clients that were dropped together do not come back together.
type backoff struct {
	clock       Clock
	jitter      func() float64
	first, most time.Duration
	failures    int
	since       time.Time // of the last success; zero if there is none to judge
}

// succeeded notes a success, which counts once it has lasted.
func (b *backoff) succeeded() { b.since = b.clock.Now() }

// long returns a pause that is long whatever came before: at least half of most, at most all of it.
func (b *backoff) long(most time.Duration) time.Duration {
	return most/2 + time.Duration(float64(most/2)*b.jitter())
}

// next returns the pause before the next try: over 0, at most the cap.
func (b *backoff) next() time.Duration {
	if !b.since.IsZero() && b.clock.Now().Sub(b.since) >= stableAfter {
		b.failures = 0
	}
	b.since = time.Time{}
	limit := b.most
	if b.failures < 16 && b.first<<b.failures < b.most { // 16 doublings are over any cap used here
		limit = b.first << b.failures
	}
	b.failures++
	return time.Duration(float64(limit)*b.jitter()) + time.Millisecond
}

package gatekeeper

import (
	"sync/atomic"
	"time"
)

// clock is the gatekeeper's time: the system's, moved by what the control API asked for. Tokens, mailboxes and the
// times in stanzas go by it; certificates go by the system's, since clients check them against theirs.
type clock struct{ offset atomic.Int64 } // nanoseconds

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *clock) unix() int64 { return c.now().Unix() }

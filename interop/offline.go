package interop

import (
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// offlineTracker finds out when everything that waited in the mailbox at a login was handled.
type offlineTracker struct {
	mu      sync.Mutex
	open    int  // handed to queues and not handled
	arrived bool // the gatekeeper said that it was all
	report  func()
}

func (t *offlineTracker) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
}

func (t *offlineTracker) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
	t.reportIfDone()
}

// allArrived notes that no more will come. report is called when the last one was handled.
func (t *offlineTracker) allArrived(report func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.arrived {
		t.arrived, t.report = true, report
		t.reportIfDone()
	}
}

// reportIfDone calls report once. Callers hold mu.
func (t *offlineTracker) reportIfDone() {
	if t.open == 0 && t.arrived && t.report != nil {
		t.report()
		t.report = nil
	}
}

// offlineTrackerFor returns the tracker that a message counts for, nil if it did not wait in the mailbox.
func (c *connection) offlineTrackerFor(message *inbound) *offlineTracker {
	if !message.Offline {
		return nil
	}
	return &c.offline
}

// handleInfo takes in general information, of which only the end of the mailbox is of interest.
func (c *connection) handleInfo(node *waBinary.Node) {
	end := child(node, "offline")
	if end == nil {
		return
	}
	event := &OfflineDelivered{Count: max(0, intAttr(end, "count"))}
	c.offline.allArrived(func() {
		if c.ended() == nil { // else the next login starts over
			c.run.report(event)
		}
	})
}

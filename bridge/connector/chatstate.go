package connector

import (
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"
)

// maxKeptReceipts bounds the receipts of one login that wait for the chat channel.
const maxKeptReceipts = 256

// chatStates is what a login remembers of single chats while something is wrong. It is empty otherwise. Safe for
// concurrent use; the zero value is ready.
type chatStates struct {
	lock     sync.Mutex
	failures map[networkid.PortalKey]failureRow
	receipts map[networkid.PortalKey]readSpan
}

// readSpan are the messages that were read: after the one time, up to the other.
type readSpan struct{ after, upTo time.Time }

// failureRow are failures of one kind, one after the other.
type failureRow struct {
	kind  failure
	count int
}

// failed counts one more failure and returns how many of its kind there are in a row: an outage that is over says nothing
// about what comes after it.
func (s *chatStates) failed(chat networkid.PortalKey, kind failure) int {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.failures == nil {
		s.failures = make(map[networkid.PortalKey]failureRow)
	}
	row := s.failures[chat]
	if row.kind != kind {
		row = failureRow{kind: kind}
	}
	row.count++
	s.failures[chat] = row
	return row.count
}

// worked ends the row of failures.
func (s *chatStates) worked(chat networkid.PortalKey) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.failures, chat)
}

// keepReceipt notes that a contact has to be told what was read, joining it with what is noted already.
func (s *chatStates) keepReceipt(chat networkid.PortalKey, after, upTo time.Time) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.receipts == nil {
		s.receipts = make(map[networkid.PortalKey]readSpan)
	}
	span, ok := s.receipts[chat]
	if !ok && len(s.receipts) >= maxKeptReceipts {
		return
	}
	if !ok || after.Before(span.after) {
		span.after = after
	}
	if upTo.After(span.upTo) {
		span.upTo = upTo
	}
	s.receipts[chat] = span
}

// takeReceipts returns what is noted and forgets it.
func (s *chatStates) takeReceipts() map[networkid.PortalKey]readSpan {
	s.lock.Lock()
	defer s.lock.Unlock()
	taken := s.receipts
	s.receipts = nil
	return taken
}

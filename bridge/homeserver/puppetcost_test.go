package homeserver_test

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
)

// statementCounter is a log of a database that counts.
type statementCounter struct {
	dbutil.DatabaseLogger
	count atomic.Int64
}

func (c *statementCounter) QueryTiming(_ context.Context, method, _ string, _ []any, _ int, _ time.Duration, _ error) {
	if method != "EndRows" { // of a Query that was counted
		c.count.Add(1)
	}
}

// cost is what so many messages of a contact take: statements on the database, and requests to the homeserver.
type cost struct {
	statements int64
	requests   []string
}

// messagesCost sends one message, so that devices and rooms are there, and then measures.
func messagesCost(t *testing.T, s *stack, messages int) cost {
	t.Helper()
	s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "first")
	s.fake.lock.Lock()
	before := len(s.fake.requests)
	s.fake.lock.Unlock()
	s.queries.count.Store(0)
	for i := range messages {
		s.mustSend(t, fmt.Sprint(i))
	}
	result := cost{statements: s.queries.count.Load()}
	s.fake.lock.Lock()
	defer s.fake.lock.Unlock()
	for _, request := range s.fake.requests[before:] {
		if request.Path == "/sync" && !strings.Contains(request.Query, "not_types") {
			continue // the bot's
		}
		what := request.Method + " " + request.Path
		if request.Method == http.MethodPut {
			what = path.Dir(what) // without the transaction's name
		}
		result.requests = append(result.requests, what)
	}
	return result
}

// TestAContactsOwnDeviceCostsNoMoreThanTheBots for a message, with all the sessions that so many messages need.
func TestAContactsOwnDeviceCostsNoMoreThanTheBots(t *testing.T) {
	const messages = 250
	own := newStack(t)
	ownCost := messagesCost(t, own, messages)
	bots := newStack(t)
	bots.fake.setRefusalOf("POST", "/keys/device_signing/upload", http.StatusForbidden, "M_FORBIDDEN")
	botsCost := messagesCost(t, bots, messages)
	t.Logf("%d messages: %d statements and %d requests, under the bot's device %d and %d", messages,
		ownCost.statements, len(ownCost.requests), botsCost.statements, len(botsCost.requests))
	if ownCost.statements > botsCost.statements {
		t.Errorf("%d statements, %d under the bot's device", ownCost.statements, botsCost.statements)
	}
	if !slices.Equal(ownCost.requests, botsCost.requests) {
		t.Errorf("requests %v, under the bot's device %v", ownCost.requests, botsCost.requests)
	}
}

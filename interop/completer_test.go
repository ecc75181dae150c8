package interop_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// completer completes drafts when the test says so.
type completer struct {
	t     *testing.T
	calls chan *completion
	mu    sync.Mutex
	// running holds the chats that a draft is being completed of.
	running map[types.JID]bool
}

// completion is one call of Complete, which waits for the test.
type completion struct {
	interop.Draft
	t      *testing.T
	ctx    context.Context
	answer chan completed
}

type completed struct {
	message *waE2E.Message
	err     error
}

func newCompleter(t *testing.T) *completer {
	return &completer{t: t, calls: make(chan *completion, 100), running: make(map[types.JID]bool)}
}

func (c *completer) option(options *interop.Options) { options.Complete = c.complete }

func (c *completer) complete(ctx context.Context, draft interop.Draft) (*waE2E.Message, error) {
	c.mu.Lock()
	if c.running[draft.Chat] {
		c.t.Errorf("two drafts of %s are completed at once", draft.Chat)
	}
	c.running[draft.Chat] = true
	c.mu.Unlock()
	call := &completion{Draft: draft, t: c.t, ctx: ctx, answer: make(chan completed, 1)}
	c.calls <- call
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running, draft.Chat)
	}()
	select {
	case answer := <-call.answer:
		return answer.message, answer.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// next waits for a call, which must be for the id.
func (c *completer) next(id string) *completion {
	c.t.Helper()
	select {
	case call := <-c.calls:
		if call.ID != id || call.Ref != "ref of "+id || string(call.Data) != "draft of "+id {
			c.t.Fatalf("got %+v, want %s", call.Draft, id)
		}
		return call
	case <-time.After(patience):
		c.t.Fatalf("draft %s was not to be completed", id)
		return nil
	}
}

// none fails the test if there are calls that it did not wait for.
func (c *completer) none() {
	c.t.Helper()
	select {
	case call := <-c.calls:
		c.t.Errorf("draft %s was to be completed again", call.ID)
	default:
	}
}

func (c *completion) succeed() { c.answer <- completed{message: text("text of " + c.ID)} }

func (c *completion) fail(err error) { c.answer <- completed{err: err} }

func (s *subject) sendDraft(chat types.JID, id string) {
	s.t.Helper()
	if err := s.SendDraft(context.Background(), chat, id, []byte("draft of "+id), "ref of "+id); err != nil {
		s.t.Fatal(err)
	}
}

// wantSent waits for a message, acknowledges it and waits for its result.
func (c *contact) wantSent(s *subject, l *link, id string) {
	c.t.Helper()
	node := l.next("message")
	if got := c.open(s, node, 0); got != "text of "+id || node.Attrs["id"] != id {
		c.t.Fatalf("got %q as %v, want %s", got, node.Attrs["id"], id)
	}
	l.ack(node, 0)
	s.wantResult(id, nil)
}

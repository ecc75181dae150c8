package interop_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

// logBook is a log that tests read.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestAPartThatCannotBeDecryptedIsTold(t *testing.T) {
	var log logBook
	_, s, l := started(t, func(o *interop.Options) { o.Log = zerolog.New(&log).Level(zerolog.WarnLevel) })
	node := newContact(t, bobJID, 1).message(s, "hello")
	node.Content = append(node.GetChildren(), waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "msg"}, Content: []byte("nonsense")})
	l.send(node)
	if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != "hello" {
		t.Errorf("got %+v", got)
	}
	l.wantReceipt("receipt", "IN1", "")
	if !strings.Contains(log.String(), "part of a message") || !strings.Contains(log.String(), "IN1") {
		t.Errorf("the log does not tell: %s", log.String())
	}
}

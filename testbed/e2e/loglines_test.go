package e2e_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestAtInfoAMessageHasOneLine: what an admin finds in the log at night, of a bridge that is well. Every line says which component
// it is of.
func TestAtInfoAMessageHasOneLine(t *testing.T) {
	const count = 20
	ctx, s := own(t, stack.Options{LogLevel: "info"})
	c := newConversation(t, ctx, s)
	if err := c.bothWrite(ctx, 0, 1); err != nil { // the first of a session may take more
		t.Fatal(err)
	}
	c.check(t, ctx, 1)
	before := must(os.ReadFile(s.Bridge.LogFile()))(t)
	if err := c.bothWrite(ctx, 1, count+1); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, count+1)
	last := c.alice.writes(t, ctx, c.room, unique("last")) // what is told of it comes after all before it
	c.alice.sees(t, ctx, "success", matrixuser.StatusOf(last, "SUCCESS"))
	log := must(os.ReadFile(s.Bridge.LogFile()))(t)
	var toContact, toMatrix, others int
	for line := range bytes.Lines(log[len(before):]) {
		switch {
		case bytes.Contains(line, []byte("A message of a user is done")):
			toContact++
		case bytes.Contains(line, []byte("A message of a contact is done")):
			toMatrix++
		case bytes.Contains(line, []byte("event_id=")), bytes.Contains(line, []byte("message_id=")):
			t.Errorf("a line more about a message: %s", line)
		default:
			others++
		}
	}
	if toContact < count+1 || toContact > count+2 || toMatrix < count || toMatrix > count+1 { // one may be of the message before
		t.Errorf("of %d messages each way there are %d and %d lines", count, toContact, toMatrix)
	}
	t.Logf("%d other lines", others)
	for line := range strings.Lines(string(log)) {
		if !strings.Contains(line, " component=") {
			t.Errorf("a line has no component: %s", line)
		}
	}
}

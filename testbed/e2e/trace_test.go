package e2e_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

const (
	stepCame       = "An event came from the homeserver"
	stepOutbox     = "A message is in the outbox"
	stepWritten    = "A message goes over the chat channel"
	stepAnswered   = "The gatekeeper answered a message"
	stepUserDone   = "A message of a user is done"
	stepReceived   = "A message came over the chat channel"
	stepDecrypted  = "A message was decrypted and stored"
	stepShown      = "A message of a contact is done"
	stepReceipt    = "A message got its delivery receipt"
	stepTold       = "A contact's receipt came"
	stepCarried    = "Carried a file"
	stepFilesThere = "The files of a message are at the homeserver"
)

// TestOneMessageIsFollowedThroughTheLog: `postern trace` names every step, in order, by the id of either side, beside a running bridge.
func TestOneMessageIsFollowedThroughTheLog(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)

	there := unique("there")
	sent := alice.writes(t, ctx, room, there)
	alice.sees(t, ctx, "success", matrixuser.StatusOf(sent, "SUCCESS"))
	hears(t, ctx, bob, there)
	alice.sees(t, ctx, "delivered", deliveredTo(sent))
	heard, err := bob.Device().WaitMessage(ctx, there)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{sent.String(), heard.Info.ID} {
		steps := traced(t, ctx, s, id, stepCame, stepOutbox, stepWritten, stepAnswered, stepUserDone)
		for _, part := range []string{stepTold, "Matrix event: " + sent.String(), "in the chat channel: " + heard.Info.ID, "room: " + room.String(),
			"and the gatekeeper has it", "event " + sent.String() + " is in " + room.String()} {
			if !strings.Contains(steps, part) {
				t.Errorf("%q is missing by %s:\n%s", part, id, steps)
			}
		}
		if strings.Contains(steps, there) {
			t.Errorf("what was written can be read: %s", steps)
		}
	}

	back := unique("back")
	id := tells(t, ctx, bob, alice, back)
	received := alice.receives(t, ctx, back)
	if err = bob.Device().WaitReceipt(ctx, id, types.ReceiptTypeDelivered); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{received.ID.String(), id} {
		traced(t, ctx, s, id, stepReceived, stepDecrypted, stepShown, stepReceipt)
	}
}

func TestAFileAndARefusalAreFollowedToo(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	file := fileLike(paperStart, 50_000)

	mark := bob.Device().Mark()
	sent := alice.sendsPaper(t, ctx, room, file)
	hearsNext(t, ctx, bob, mark)
	alice.sees(t, ctx, "success", matrixuser.StatusOf(sent, "SUCCESS"))
	traced(t, ctx, s, sent.String(), stepCame, stepOutbox, stepCarried, stepWritten, stepUserDone)

	id := sendsPaper(t, ctx, bob, alice, file)
	if err := bob.Device().WaitReceipt(ctx, id, types.ReceiptTypeDelivered); err != nil {
		t.Fatal(err)
	}
	traced(t, ctx, s, id, stepReceived, stepDecrypted, stepFilesThere, stepShown, stepReceipt)

	if err := s.Gatekeeper.SetThirdParty(ctx, bob.Phone, false); err != nil {
		t.Fatal(err)
	}
	refused := alice.writes(t, ctx, room, unique("anyone-there"))
	alice.sees(t, ctx, "failure", matrixuser.StatusOf(refused, "FAIL_PERMANENT"))
	steps := traced(t, ctx, s, refused.String(), stepCame, stepOutbox, "WARN A message was refused for good", "because: ")
	if !strings.Contains(steps, "refused for good: ") && !strings.Contains(steps, "waits in the outbox") {
		t.Errorf("the database says something else:\n%s", steps)
	}
}

func TestWhatNobodyKnowsIsSaidSo(t *testing.T) {
	ctx, s := shared(t)
	newUser(t, ctx, s, "alice")
	said, err := s.Bridge.Run(ctx, "trace", "$nothing", s.Bridge.LogFile())
	if err != nil || !strings.Contains(said, "The log has no line about $nothing") || !strings.Contains(said, "It begins at ") ||
		!strings.Contains(said, "The database knows nothing of it") {
		t.Errorf("said %q, %v", said, err)
	}
	if said, err = s.Bridge.Run(ctx, "trace", "no id"); err == nil || !strings.Contains(said, "that is no id") {
		t.Errorf("said %q, %v", said, err)
	}
}

// traced follows a message through the bridge's log, and fails unless the steps are there in their order.
func traced(t *testing.T, ctx context.Context, s *stack.Stack, id string, steps ...string) string {
	t.Helper()
	said, err := s.Bridge.Run(ctx, "trace", id, s.Bridge.LogFile())
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	rest := []byte(said)
	for _, step := range steps {
		_, after, found := bytes.Cut(rest, []byte(step))
		if !found {
			t.Errorf("%q is missing, or not in its place, of %s:\n%s", step, id, said)
			break
		}
		rest = after
	}
	return said
}

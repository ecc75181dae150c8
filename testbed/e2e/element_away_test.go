package e2e_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/jsuser"
	"postern/testbed/matrixuser"
	"postern/testbed/record"
	"postern/testbed/stack"
)

// TestElementReadsWhatCameWhileItWasAway, also of someone who never wrote before.
func TestElementReadsWhatCameWhileItWasAway(t *testing.T) {
	ctx, s := shared(t)
	alice, bob, carol := newElementUser(t, ctx, s, "alice", true), newContact(t, ctx, s, "Bob", 1), newContact(t, ctx, s, "Carol", 1)
	known := alice.startChat(t, ctx, bob)
	alice.isWritten(t, ctx, bob)
	if err := alice.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	fromBob, fromCarol := isWrittenAway(t, ctx, alice, bob), unique("away")
	must(carol.Device().SendText(ctx, alice.Address, fromCarol))(t)
	mark := returns(t, ctx, s, alice.User, alice.Management)
	alice.sees(t, ctx, mark, "message with "+fromBob, matrixuser.MessageIn(known, "", fromBob))
	anew := alice.meets(t, ctx, mark, carol, fromCarol)
	alice.isWritten(t, ctx, carol)
	checkUnblemishedNow(t, ctx, alice.User, known, anew)
}

// TestElementReadsWhatCameWhenItHadNoOneTimeKeys: the app was away for so long that others have used up its keys. It is the user's
// second device, to which the contact did not write before.
func TestElementReadsWhatCameWhenItHadNoOneTimeKeys(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newElementUser(t, ctx, s, "alice", true), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob)
	alice.isWritten(t, ctx, bob)
	second := must(s.NewJSDevice(ctx, alice.User))(t)
	if err := second.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	usesUpKeys(t, ctx, s, second)
	away := alice.isWritten(t, ctx, bob)
	second.ExcludeInsecure = false
	mark := returns(t, ctx, s, second, alice.Management)
	for _, evt := range []*event.Event{away, alice.isWritten(t, ctx, bob)} {
		must(second.WaitSight(ctx, mark, "message", func(sight *jsuser.Sight) bool {
			return sight.Event.ID == evt.ID && sight.Blemish() == ""
		}))(t)
	}
	checkUnblemished(t, ctx, alice.User, alice.since, room)
}

// isWrittenAway lets the contact write while the user's app is away, and returns the text when the homeserver has it.
func isWrittenAway(t *testing.T, ctx context.Context, user *elementUser, contact *stack.Contact) string {
	t.Helper()
	text := unique("away")
	sent := must(contact.Device().SendText(ctx, user.Address, text))(t)
	waitLine(t, ctx, user.stack, "Sent message part to Matrix", string(sent))
	return text
}

// waitLine waits until the bridge has logged a line with all the words.
func waitLine(t *testing.T, ctx context.Context, s *stack.Stack, words ...string) {
	t.Helper()
	for ctx.Err() == nil {
		for line := range strings.Lines(string(must(os.ReadFile(s.Bridge.LogFile()))(t))) {
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
				return
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	t.Fatalf("the bridge did not log a line with %q", words)
}

// returns opens a user's app again, and the user asks the bot something, by which the bridge knows that the app is there.
func returns(t *testing.T, ctx context.Context, s *stack.Stack, app *jsuser.User, management id.RoomID) record.Mark {
	t.Helper()
	mark := app.Mark()
	if err := app.Start(ctx); err != nil {
		t.Fatal(err)
	}
	asked := app.Mark()
	must(app.SendText(ctx, management, "help"))(t)
	must(app.WaitAfter(ctx, asked, "answer", matrixuser.MessageIn(management, s.Bot(), "")))(t)
	return mark
}

// usesUpKeys claims the one-time keys of the user's device until there are none, or the fallback key comes again and again.
func usesUpKeys(t *testing.T, ctx context.Context, s *stack.Stack, app *jsuser.User) {
	t.Helper()
	account := app.Account()
	client := must(mautrix.NewClient(s.Homeserver.URL(), app.ID(), account.AccessToken))(t)
	device := id.DeviceID(account.DeviceID)
	claimed := make(map[id.KeyID]bool)
	for {
		answer := must(client.ClaimKeys(ctx, &mautrix.ReqClaimKeys{
			OneTimeKeys: mautrix.OneTimeKeysRequest{app.ID(): {device: id.KeyAlgorithmSignedCurve25519}},
		}))(t)
		keys := answer.OneTimeKeys[app.ID()][device]
		if len(keys) == 0 {
			break
		}
		for key := range keys {
			if claimed[key] {
				return
			}
			claimed[key] = true
		}
	}
	if len(claimed) == 0 {
		t.Fatal("the device had no keys from the start")
	}
}

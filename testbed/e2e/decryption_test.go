package e2e_test

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

const (
	placeholder    = "could not be decrypted yet"
	identityNotice = "security code"
)

// TestAMessageThatCannotBeDecryptedIsReplacedLater corrupts a ciphertext on its way: a placeholder appears, the contact
// is asked to send it again, and the real text takes the placeholder's place.
func TestAMessageThatCannotBeDecryptedIsReplacedLater(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	before, broken, after := unique("before"), unique("broken"), unique("after")
	room := alice.startChat(t, ctx, bob.Phone)
	// Only once both have written does a ciphertext end with its authentication code, which is what is corrupted.
	alice.writes(t, ctx, room, before)
	hears(t, ctx, bob, before)

	if err := s.Gatekeeper.CorruptNext(ctx, alice.Address.String()); err != nil {
		t.Fatal(err)
	}
	tells(t, ctx, bob, alice, broken)
	shown, err := alice.WaitMessage(ctx, room, "", placeholder)
	if err != nil {
		t.Fatal(err)
	}
	edit, err := alice.WaitMessage(ctx, room, "", broken)
	if err != nil {
		t.Fatal(err)
	}
	content := edit.Content.AsMessage()
	if content.RelatesTo.GetReplaceID() != shown.ID || content.NewContent == nil || content.NewContent.Body != broken {
		t.Errorf("the real text does not replace the placeholder: %+v", content)
	}
	if edit.Sender != shown.Sender {
		t.Errorf("the placeholder is from %s, the text from %s", shown.Sender, edit.Sender)
	}
	// The session works again, and nothing came twice.
	tells(t, ctx, bob, alice, after)
	alice.receives(t, ctx, after)
	count := 0
	for _, evt := range alice.Since(0) {
		if matrixuser.MessageIn(room, "", broken)(evt) {
			count++
		}
	}
	if count != 1 {
		t.Errorf("the text came %d times", count)
	}
}

// TestAMessageThatTheContactCannotDecryptIsSentAgain is the same in the other direction: the bridge honours a retry
// receipt.
func TestAMessageThatTheContactCannotDecryptIsSentAgain(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	first, broken, after := unique("first"), unique("broken"), unique("after")
	tells(t, ctx, bob, alice, first)
	room := alice.receives(t, ctx, first).RoomID
	alice.waitPortal(t, ctx, room)
	if err := s.Gatekeeper.CorruptNext(ctx, bob.JID.String()); err != nil {
		t.Fatal(err)
	}
	alice.writes(t, ctx, room, broken)
	hears(t, ctx, bob, broken)
	alice.writes(t, ctx, room, after)
	hears(t, ctx, bob, after)
}

// TestANewIdentityIsShownInTheChat: the contact lost the phone and registers again.
func TestANewIdentityIsShownInTheChat(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	before, there, back := unique("before"), unique("there"), unique("back")
	tells(t, ctx, bob, alice, before)
	room := alice.receives(t, ctx, before).RoomID
	alice.waitPortal(t, ctx, room)

	reinstall(t, bob)
	tells(t, ctx, bob, alice, back)
	if got := alice.receives(t, ctx, back).RoomID; got != room {
		t.Errorf("the message came in %s instead of %s", got, room)
	}
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)

	notice, err := alice.WaitMessage(ctx, room, "", identityNotice)
	if err != nil {
		t.Fatal(err)
	}
	if notice.Content.AsMessage().MsgType != event.MsgNotice {
		t.Errorf("the notice is of type %s", notice.Content.AsMessage().MsgType)
	}
	// It stands before the first message under the new key.
	messages, err := alice.Transcript(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	position := make(map[string]int)
	for i, message := range messages {
		for _, words := range []string{identityNotice, back} {
			if _, known := position[words]; !known && strings.Contains(message.Content.AsMessage().Body, words) {
				position[words] = i
			}
		}
	}
	if position[identityNotice] > position[back] {
		t.Error("the notice comes after the message")
	}
}

func reinstall(t *testing.T, contact *stack.Contact) {
	t.Helper()
	ctx := within(t, patience)
	if err := contact.Device().Reinstall(ctx); err != nil {
		t.Fatal(err)
	}
	if err := contact.Device().Connect(ctx); err != nil {
		t.Fatal(err)
	}
}

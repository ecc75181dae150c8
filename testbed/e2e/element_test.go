package e2e_test

import (
	"sync"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestElementReadsOnASecondDevice that logs in while a chat goes on, and on the first as before.
func TestElementReadsOnASecondDevice(t *testing.T) {
	inBothModes(t, func(t *testing.T, excludeInsecure bool) {
		ctx, s := shared(t)
		alice, bob := newElementUser(t, ctx, s, "alice", excludeInsecure), newContact(t, ctx, s, "Bob", 1)
		room := alice.startChat(t, ctx, bob)
		alice.isWritten(t, ctx, bob)
		second := must(s.NewJSDevice(ctx, alice.User))(t)
		there := unique("there")
		must(second.SendText(ctx, room, there))(t)
		hears(t, ctx, bob, there)

		mark := second.Mark() // what came before it was there, it cannot read
		last := alice.isWritten(t, ctx, bob)
		words := last.Content.AsMessage().Body
		must(second.WaitAfter(ctx, mark, words, matrixuser.MessageIn(room, "", words)))(t)
		must(alice.Command(ctx, "help", ""))(t)
		must(second.WaitAfter(ctx, mark, "help", matrixuser.MessageIn(alice.Management, s.Bot(), "")))(t)
		checkUnblemished(t, ctx, alice.User, alice.since, room, alice.Management)
		checkUnblemished(t, ctx, second, mark)

		second.ExcludeInsecure = !second.ExcludeInsecure
		mark = second.Mark()
		if err := second.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		must(second.WaitAfter(ctx, mark, words, matrixuser.MessageIn(room, "", words)))(t)
		alice.reopens(t, ctx, last, room, alice.Management)
	})
}

// TestElementReadsAcrossARotation: the room says that a session is for two messages.
func TestElementReadsAcrossARotation(t *testing.T) {
	inBothModes(t, func(t *testing.T, excludeInsecure bool) {
		ctx, s := shared(t)
		alice, bob := newElementUser(t, ctx, s, "alice", excludeInsecure), newContact(t, ctx, s, "Bob", 1)
		room := must(alice.StartChat(ctx, bob.Phone))(t)
		must(asContact(t, s, s.Bot()).SendStateEvent(ctx, room, event.StateEncryption, "", event.EncryptionEventContent{
			Algorithm: id.AlgorithmMegolmV1, RotationPeriodMessages: 2,
		}))(t)
		// What comes after it, the bridge gets after it.
		alice.writes(t, ctx, room, bob, unique("there"))

		var last *event.Event
		for range 5 {
			last = alice.isWritten(t, ctx, bob)
		}
		checkUnblemished(t, ctx, alice.User, alice.since, room)
		sessions := make(map[id.SessionID]int)
		for _, sight := range must(alice.Look(ctx, room))(t) {
			if sight.Event.Sender != alice.ID() && sight.Event.Sender != s.Bot() && sight.Encrypted {
				sessions[sight.Session]++
			}
		}
		if len(sessions) < 3 {
			t.Errorf("5 messages came in sessions %v", sessions)
		}
		alice.reopens(t, ctx, last, room)
	})
}

// TestElementMeetsManyNewContacts who all write at once, each for the first time.
func TestElementMeetsManyNewContacts(t *testing.T) {
	inBothModes(t, func(t *testing.T, excludeInsecure bool) {
		ctx, s := shared(t)
		alice := newElementUser(t, ctx, s, "alice", excludeInsecure)
		contacts := make(map[string]*stack.Contact)
		for range 6 {
			contacts[unique("hello")] = newContact(t, ctx, s, "Contact", 1)
		}
		var sending sync.WaitGroup
		for text, contact := range contacts {
			sending.Go(func() {
				if _, err := contact.Device().SendText(ctx, alice.Address, text); err != nil {
					t.Error(err)
				}
			})
		}
		sending.Wait()
		var rooms []id.RoomID
		for text, contact := range contacts {
			rooms = append(rooms, alice.meets(t, ctx, 0, contact, text))
		}
		mark := alice.Mark()
		for _, contact := range contacts {
			alice.isWritten(t, ctx, contact)
		}
		checkUnblemished(t, ctx, alice.User, mark, rooms...)
	})
}

// TestElementReadsAfterTheBridgeLostItsDatabase and after a restart before: contacts have the identities that the user's app knows, and
// new devices.
func TestElementReadsAfterTheBridgeLostItsDatabase(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newElementUser(t, ctx, s, "alice", true), newContact(t, ctx, s, "Bob", 1)
	room := must(alice.StartChat(ctx, bob.Phone))(t)
	// The bot's session is in the room before the contact's.
	mark := alice.Mark()
	must(alice.SendText(ctx, room, "!postern help"))(t)
	alice.sees(t, ctx, mark, "help", matrixuser.MessageIn(room, s.Bot(), ""))
	alice.isWritten(t, ctx, bob)

	restart(t, ctx, s)
	alice.isWritten(t, ctx, bob)
	alice.writes(t, ctx, room, bob, unique("there"))
	checkUnblemished(t, ctx, alice.User, alice.since, room, alice.Management)

	devices := must(alice.WaitDevices(ctx, s.Bot()))(t)
	restartWithoutDatabase(t, ctx, s)
	lost := alice.Mark()
	must(alice.WaitDevices(ctx, s.Bot(), devices...))(t)
	must(alice.Command(ctx, "!postern set-management-room", "updated"))(t)
	if err := alice.Enlist(ctx); err != nil {
		t.Fatal(err)
	}
	anew := alice.isWritten(t, ctx, bob).RoomID
	checkUnblemished(t, ctx, alice.User, lost, anew)

	alice.ExcludeInsecure = false
	mark = alice.restarts(t, ctx)
	alice.isWritten(t, ctx, bob)
	checkUnblemished(t, ctx, alice.User, mark, anew, room, alice.Management)
}

package e2e_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"slices"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

const spaceName = "Third-party chats"

func TestAChatStartsByPhoneNumber(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)

	there, back := unique("there"), unique("back")
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	tells(t, ctx, bob, alice, back)
	if answer := alice.receives(t, ctx, back); answer.RoomID != room {
		t.Errorf("the answer came in %s instead of %s", answer.RoomID, room)
	}
}

func TestAMessageFromOutsideMakesTheChat(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	first, second, answer := unique("first"), unique("second"), unique("answer")

	tells(t, ctx, bob, alice, first)
	room := alice.receives(t, ctx, first).RoomID
	alice.waitPortal(t, ctx, room)
	tells(t, ctx, bob, alice, second)
	if again := alice.receives(t, ctx, second).RoomID; again != room {
		t.Errorf("the second message came in %s instead of %s", again, room)
	}
	alice.writes(t, ctx, room, answer)
	hears(t, ctx, bob, answer)
}

// TestAllWaysLeadToOneChat starts the same chat in every way there is.
func TestAllWaysLeadToOneChat(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	words := unique("hello")
	tells(t, ctx, bob, alice, words)
	first := alice.receives(t, ctx, words)
	room, ghost := first.RoomID, first.Sender
	alice.waitPortal(t, ctx, room)

	if byPhone := alice.startChat(t, ctx, bob.Phone); byPhone != room {
		t.Errorf("start-chat led to %s instead of %s", byPhone, room)
	}
	// People write phone numbers in their own ways.
	if spaced := alice.startChat(t, ctx, bob.Phone[:3]+" "+bob.Phone[3:6]+"-"+bob.Phone[6:]); spaced != room {
		t.Errorf("start-chat with blanks led to %s instead of %s", spaced, room)
	}
	if byAPI := alice.provision(t, ctx, bob.Phone); byAPI != room {
		t.Errorf("the provisioning interface led to %s instead of %s", byAPI, room)
	}

	// Inviting the puppet to a new chat leads back to the old one: the puppet says so and leaves.
	mark := alice.Mark()
	invited, err := alice.InviteToDirectChat(ctx, ghost, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = alice.WaitAfter(ctx, mark, "the puppet leaving the second chat", func(evt *event.Event) bool {
		left := matrixuser.MembershipOf(invited, ghost, event.MembershipLeave)
		return left(evt)
	}); err != nil {
		t.Error(err)
	}
	later := unique("later")
	tells(t, ctx, bob, alice, later)
	if got := alice.receives(t, ctx, later).RoomID; got != room {
		t.Errorf("after the invitation messages come in %s instead of %s", got, room)
	}
}

func TestInvitingThePuppetStartsAChat(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	// Another user of the server has the contact already, so the puppet's Matrix ID is known.
	ghost := ghostOf(t, ctx, s, bob)

	room, err := alice.InviteToDirectChat(ctx, ghost, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "the puppet's join", matrixuser.MembershipOf(room, ghost, event.MembershipJoin)); err != nil {
		t.Fatal(err)
	}
	// The bot comes too, to encrypt. Writing earlier would send to nobody who can decrypt.
	if _, err = alice.Wait(ctx, "the bot's join", matrixuser.MembershipOf(room, s.Bot(), event.MembershipJoin)); err != nil {
		t.Fatal(err)
	}
	there, back := unique("there"), unique("back")
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	tells(t, ctx, bob, alice, back)
	if got := alice.receives(t, ctx, back).RoomID; got != room {
		t.Errorf("the answer came in %s instead of %s", got, room)
	}
}

func TestAChatLooksTheWayUsersExpect(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob Builder", 1)
	picture := drawPicture(t)
	if err := s.Gatekeeper.SetPicture(ctx, bob.Phone, picture); err != nil {
		t.Fatal(err)
	}
	words := unique("hello")
	tells(t, ctx, bob, alice, words)
	message := alice.receives(t, ctx, words)
	room, ghost := message.RoomID, message.Sender
	alice.waitPortal(t, ctx, room)

	t.Run("encrypted", func(t *testing.T) {
		var encryption event.EncryptionEventContent
		if err := alice.Client.StateEvent(ctx, room, event.StateEncryption, "", &encryption); err != nil {
			t.Fatal(err)
		}
		if encryption.Algorithm != id.AlgorithmMegolmV1 {
			t.Errorf("the algorithm is %s", encryption.Algorithm)
		}
	})
	t.Run("direct", func(t *testing.T) {
		_, err := alice.Wait(ctx, "mark as direct chat", func(evt *event.Event) bool {
			chats, ok := evt.Content.Parsed.(*event.DirectChatsEventContent)
			return ok && slices.Contains((*chats)[ghost], room)
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("space", func(t *testing.T) { checkSpace(t, ctx, alice, room) })
	t.Run("name", func(t *testing.T) {
		_, err := alice.Wait(ctx, "the contact's name", func(evt *event.Event) bool {
			content, ok := evt.Content.Parsed.(*event.MemberEventContent)
			return ok && evt.GetStateKey() == ghost.String() && content.Displayname == bob.Name
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("picture", func(t *testing.T) {
		evt, err := alice.Wait(ctx, "the chat's picture", func(evt *event.Event) bool {
			content, ok := evt.Content.Parsed.(*event.RoomAvatarEventContent)
			return ok && evt.RoomID == room && content.URL != ""
		})
		if err != nil {
			t.Fatal(err)
		}
		avatar := evt.Content.Parsed.(*event.RoomAvatarEventContent)
		profile, err := alice.Client.GetProfile(ctx, ghost)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := alice.Client.DownloadBytes(ctx, profile.AvatarURL)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(shown, picture) || avatar.URL != profile.AvatarURL.CUString() {
			t.Errorf("the puppet shows %d bytes at %s, the chat %s", len(shown), profile.AvatarURL, avatar.URL)
		}
	})
	t.Run("members", func(t *testing.T) {
		members, err := alice.Client.JoinedMembers(ctx, room)
		if err != nil {
			t.Fatal(err)
		}
		for _, member := range []id.UserID{alice.ID(), ghost, s.Bot()} {
			if _, ok := members.Joined[member]; !ok {
				t.Errorf("%s is not in the chat", member)
			}
		}
		if len(members.Joined) != 3 {
			t.Errorf("the chat has %d members", len(members.Joined))
		}
	})
}

// drawPicture returns a small picture as PNG.
func drawPicture(t *testing.T) []byte {
	t.Helper()
	canvas := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range canvas.Pix {
		canvas.Pix[i] = byte(i * 4)
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, canvas); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// checkSpace waits until the user is in the space and the space holds the chat.
func checkSpace(t *testing.T, ctx context.Context, user *bridgeUser, chat id.RoomID) {
	t.Helper()
	child, err := user.Wait(ctx, "chat in the space", func(evt *event.Event) bool {
		return evt.Type == event.StateSpaceChild && evt.GetStateKey() == chat.String()
	})
	if err != nil {
		t.Fatal(err)
	}
	var name event.RoomNameEventContent
	if err = user.Client.StateEvent(ctx, child.RoomID, event.StateRoomName, "", &name); err != nil {
		t.Fatal(err)
	}
	if name.Name != spaceName {
		t.Errorf("the space is called %q instead of %q", name.Name, spaceName)
	}
	var create event.CreateEventContent
	if err = user.Client.StateEvent(ctx, child.RoomID, event.StateCreate, "", &create); err != nil {
		t.Fatal(err)
	}
	if create.Type != event.RoomTypeSpace {
		t.Errorf("the chat is collected in a room of type %q", create.Type)
	}
}

// ghostOf returns the Matrix ID of the contact's puppet, by letting another user chat with them.
func ghostOf(t *testing.T, ctx context.Context, s *stack.Stack, contact *stack.Contact) id.UserID {
	t.Helper()
	other := newEnlisted(t, ctx, s, "other")
	words := unique("hello")
	tells(t, ctx, contact, other, words)
	return other.receives(t, ctx, words).Sender
}

package e2e_test

import (
	"context"
	"slices"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/jsuser"
	"postern/testbed/stack"
)

// TestElementReadsAfterAContactsDeviceWasDeleted at the homeserver, while the bridge runs and while it does not.
func TestElementReadsAfterAContactsDeviceWasDeleted(t *testing.T) {
	inBothModes(t, func(t *testing.T, excludeInsecure bool) {
		ctx, s := own(t, stack.Options{})
		alice, bob := newElementUser(t, ctx, s, "alice", excludeInsecure), newContact(t, ctx, s, "Bob", 1)
		room := alice.startChat(t, ctx, bob)
		contact := alice.isWritten(t, ctx, bob).Sender

		first := onlyDevice(t, ctx, alice, contact)
		deletesDevice(t, ctx, s, contact, first)
		// The bridge hears of it on its own way. What is written meanwhile has a key that the app knows.
		second := first
		for second == first {
			alice.isWritten(t, ctx, bob)
			if devices := devicesOf(t, ctx, alice, contact); len(devices) == 1 {
				second = devices[0]
			}
		}

		if err := s.Bridge.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		deletesDevice(t, ctx, s, contact, second)
		if err := s.Bridge.Start(ctx); err != nil {
			t.Fatal(err)
		}
		last := alice.isWritten(t, ctx, bob)
		if third := onlyDevice(t, ctx, alice, contact); third == second {
			t.Error("the contact has the device that was deleted")
		}
		alice.writes(t, ctx, room, bob, unique("there"))
		checkUnblemished(t, ctx, alice.User, alice.since, room, alice.Management)
		alice.reopens(t, ctx, last, room, alice.Management)
	})
}

// asContact acts as a contact, as everybody can who has the bridge's token.
func asContact(t *testing.T, s *stack.Stack, contact id.UserID) *mautrix.Client {
	t.Helper()
	secrets := must(s.Bridge.Secrets())(t)
	client := must(mautrix.NewClient(s.Homeserver.URL(), contact, secrets.ASToken))(t)
	client.SetAppServiceUserID = true
	return client
}

// deletesDevice takes a contact's device off the homeserver. The bridge is not told by whoever does it.
func deletesDevice(t *testing.T, ctx context.Context, s *stack.Stack, contact id.UserID, device id.DeviceID) {
	t.Helper()
	client := asContact(t, s, contact)
	if homeserver.KindFromEnvironment() == homeserver.Synapse {
		if err := client.DeleteDevice(ctx, device, &mautrix.ReqDeleteDevice[any]{}); err != nil {
			t.Fatal(err)
		}
		return
	}
	must(client.Login(ctx, &mautrix.ReqLogin{
		Type: mautrix.AuthTypeAppservice, Identifier: mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: contact.String()},
		DeviceID: device, StoreCredentials: true,
	}))(t)
	client.SetAppServiceUserID = false
	must(client.Logout(ctx))(t)
}

// devicesOf returns the devices of someone that have keys, as the homeserver tells the user.
func devicesOf(t *testing.T, ctx context.Context, user *elementUser, owner id.UserID) (devices []id.DeviceID) {
	t.Helper()
	client := must(mautrix.NewClient(user.stack.Homeserver.URL(), user.ID(), user.Account().AccessToken))(t)
	answer := must(client.QueryKeys(ctx, &mautrix.ReqQueryKeys{DeviceKeys: mautrix.DeviceKeysRequest{owner: {}}}))(t)
	for device := range answer.DeviceKeys[owner] {
		devices = append(devices, device)
	}
	return devices
}

func onlyDevice(t *testing.T, ctx context.Context, user *elementUser, owner id.UserID) id.DeviceID {
	t.Helper()
	devices := devicesOf(t, ctx, user, owner)
	if len(devices) != 1 {
		t.Fatalf("%s has devices %v, want one", owner, devices)
	}
	return devices[0]
}

// TestElementReadsWithoutTheBotInTheRoom: the keys of the user's messages reach the contact's device only, and the news of the user's devices
// another room with the bot.
func TestElementReadsWithoutTheBotInTheRoom(t *testing.T) {
	inBothModes(t, func(t *testing.T, excludeInsecure bool) {
		ctx, s := shared(t)
		alice, bob := newElementUser(t, ctx, s, "alice", excludeInsecure), newContact(t, ctx, s, "Bob", 1)
		room := alice.startChat(t, ctx, bob)
		alice.isWritten(t, ctx, bob)
		mark := alice.Mark()
		must(asContact(t, s, s.Bot()).LeaveRoom(ctx, room))(t)
		alice.sees(t, ctx, mark, "the bot leave", func(evt *event.Event) bool {
			content, ok := evt.Content.Parsed.(*event.MemberEventContent)
			return ok && evt.RoomID == room && evt.GetStateKey() == s.Bot().String() && content.Membership == event.MembershipLeave
		})
		alice.isWritten(t, ctx, bob)
		alice.writes(t, ctx, room, bob, unique("there"))
		last := alice.isWritten(t, ctx, bob)
		if last.RoomID != room {
			t.Errorf("the contact writes in %s now", last.RoomID)
		}
		checkUnblemished(t, ctx, alice.User, alice.since, room)
		alice.reopens(t, ctx, last, room)
	})
}

// TestElementReadsInARoomThatBeganWithTheBotsSession, as those of earlier releases did: contacts had no device, and the bot's encrypted for
// them. From the next start on a contact has one.
func TestElementReadsInARoomThatBeganWithTheBotsSession(t *testing.T) {
	inBothModes(t, func(t *testing.T, excludeInsecure bool) {
		front := &deviceFront{}
		ctx, s := own(t, stack.Options{Front: front.start(t)})
		front.refuse.Store(true)
		alice, bob := newElementUser(t, ctx, s, "alice", excludeInsecure), newContact(t, ctx, s, "Bob", 1)
		room := alice.startChat(t, ctx, bob)
		mark := alice.Mark()
		must(bob.Device().SendText(ctx, alice.Address, "before"))(t)
		before := must(alice.WaitSight(ctx, mark, "message under the bot's key", func(sight *jsuser.Sight) bool {
			return sight.Event.RoomID == room && sight.Event.Sender != alice.ID() && sight.Event.Sender != s.Bot() && sight.Blemish() != ""
		}))(t)

		front.refuse.Store(false)
		restart(t, ctx, s)
		alice.isWritten(t, ctx, bob)
		alice.writes(t, ctx, room, bob, unique("there"))
		last := alice.isWritten(t, ctx, bob)
		for range 2 {
			var blemished []id.EventID
			for _, sight := range must(alice.Look(ctx, room))(t) {
				if sight.Blemish() != "" {
					blemished = append(blemished, sight.Event.ID)
				}
			}
			if !slices.Equal(blemished, []id.EventID{before.Event.ID}) {
				t.Errorf("%v are not shown as they should, want only what the bot's device encrypted: %s", blemished, before.Event.ID)
			}
			mark = alice.restarts(t, ctx)
			alice.sees(t, ctx, mark, "last message", func(evt *event.Event) bool { return evt.ID == last.ID })
		}
	})
}

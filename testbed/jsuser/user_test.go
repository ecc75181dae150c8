package jsuser_test

import (
	"context"
	"strconv"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/jsuser"
	"postern/testbed/matrixuser"
	"postern/testbed/programs"
	"postern/testbed/record"
	"postern/testbed/servertest"
)

func account(t *testing.T, server *homeserver.Server, name string) *homeserver.Account {
	t.Helper()
	account, err := server.CreateUser(servertest.Context(t, servertest.Limit), name, "password of "+name)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func options(t *testing.T, server *homeserver.Server, account *homeserver.Account) jsuser.Options {
	t.Helper()
	builder, err := programs.NewBuilder(false)
	if err != nil {
		t.Fatal(err)
	}
	node, args, err := builder.JSClient()
	if err != nil {
		t.Fatal(err)
	}
	return jsuser.Options{HomeserverURL: server.URL(), Account: account, Dir: servertest.Dir(t), Node: node, Args: args}
}

// closed closes the user with the test.
func closed(t *testing.T, user *jsuser.User, err error) *jsuser.User {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := user.Close(); err != nil {
			t.Error(err)
		}
	})
	return user
}

func newAlice(t *testing.T, server *homeserver.Server) *jsuser.User {
	t.Helper()
	user, err := jsuser.New(servertest.Context(t, servertest.Limit), options(t, server, account(t, server, "alice")), false)
	return closed(t, user, err)
}

// newBob is a user of another implementation, without a cross-signing identity.
func newBob(t *testing.T, server *homeserver.Server) *matrixuser.User {
	t.Helper()
	bob, err := matrixuser.New(servertest.Context(t, servertest.Limit), matrixuser.Options{
		HomeserverURL: server.URL(), Account: account(t, server, "bob"), Dir: servertest.Dir(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bob.Close(); err != nil {
			t.Error(err)
		}
	})
	return bob
}

// chat makes an encrypted room of the two.
func chat(t *testing.T, ctx context.Context, alice *jsuser.User, bob *matrixuser.User) id.RoomID {
	t.Helper()
	joined := make(chan error, 1)
	go func() {
		invitation, err := bob.Wait(ctx, "invitation", matrixuser.MembershipOf("", bob.ID(), event.MembershipInvite))
		if err == nil {
			err = bob.Join(ctx, invitation.RoomID)
		}
		joined <- err
	}()
	room, err := alice.StartDirectChat(ctx, bob.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err = <-joined; err != nil {
		t.Fatal(err)
	}
	return room
}

// writes lets Bob write and returns how Alice's app shows it in the end.
func writes(
	t *testing.T, ctx context.Context, bob *matrixuser.User, alice *jsuser.User, room id.RoomID, text, blemish string,
) *jsuser.Sight {
	t.Helper()
	sent, err := bob.SendText(ctx, room, text)
	if err != nil {
		t.Fatal(err)
	}
	return shown(t, ctx, alice, 0, room, sent, blemish)
}

// shown waits until the event has been shown with the blemish after the mark, and returns how the room shows it then. The app may show
// another one before: it asks for the sender's keys when the message is there.
func shown(
	t *testing.T, ctx context.Context, alice *jsuser.User, mark record.Mark, room id.RoomID, sent id.EventID, blemish string,
) *jsuser.Sight {
	t.Helper()
	if _, err := alice.WaitSight(ctx, mark, "event with blemish "+strconv.Quote(blemish), func(sight *jsuser.Sight) bool {
		return sight.Event.ID == sent && sight.Blemish() == blemish
	}); err != nil {
		t.Fatal(err)
	}
	sights, err := alice.Look(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	for _, sight := range sights {
		if sight.Event.ID == sent {
			if sight.Blemish() != blemish {
				t.Errorf("%s has blemish %q, and had %q", sight, sight.Blemish(), blemish)
			}
			return sight
		}
	}
	t.Fatal("the event is not in the room")
	return nil
}

// TestOnlyASignedDeviceHasNoShield: the judge of other tests tells good from bad, in both modes and after a restart.
func TestOnlyASignedDeviceHasNoShield(t *testing.T) {
	server := servertest.Start(t, homeserver.Options{})
	alice, bob := newAlice(t, server), newBob(t, server)
	ctx := servertest.Context(t, servertest.Limit)
	room := chat(t, ctx, alice, bob)

	unsigned := writes(t, ctx, bob, alice, room, "from a device that nobody signed", "shield RED: UNSIGNED_DEVICE")
	mark := alice.Mark()
	alice.ExcludeInsecure = true
	if err := alice.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	shown(t, ctx, alice, mark, room, unsigned.Event.ID, "unreadable: UNSIGNED_SENDER_DEVICE")

	if err := bob.PublishIdentity(ctx); err != nil {
		t.Fatal(err)
	}
	// An app that excludes insecure devices tries a message once with what it knows of the sender, and not again.
	if err := alice.WaitSigned(ctx, bob.ID(), bob.Client.DeviceID); err != nil {
		t.Fatal(err)
	}
	const text = "from a device that its owner signed"
	signed := writes(t, ctx, bob, alice, room, text, "")
	for range 2 {
		if signed.Shield != jsuser.NoShield || signed.Event.Content.AsMessage().Body != text {
			t.Errorf("%s has shield %s", signed, signed.Shield)
		}
		mark = alice.Mark()
		alice.ExcludeInsecure = false
		if err := alice.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		signed = shown(t, ctx, alice, mark, room, signed.Event.ID, "")
	}
}

// TestASecondDeviceReadsWhenItIsThere: it logs in with the password and gets keys of its own.
func TestASecondDeviceReadsWhenItIsThere(t *testing.T) {
	server := servertest.Start(t, homeserver.Options{})
	alice, bob := newAlice(t, server), newBob(t, server)
	ctx := servertest.Context(t, servertest.Limit)
	room := chat(t, ctx, alice, bob)
	login, err := server.Login(ctx, alice.Account())
	if err != nil {
		t.Fatal(err)
	}
	second, err := jsuser.NewDevice(ctx, options(t, server, login), false)
	second = closed(t, second, err)
	if err = alice.SignDevice(ctx, id.DeviceID(login.DeviceID)); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.SendText(ctx, room, "for both"); err != nil {
		t.Fatal(err)
	}
	if _, err = second.Wait(ctx, "message of the first", matrixuser.MessageIn(room, alice.ID(), "for both")); err != nil {
		t.Error(err)
	}
}

func TestSentInClearIsABlemish(t *testing.T) {
	server := servertest.Start(t, homeserver.Options{})
	alice, bob := newAlice(t, server), newBob(t, server)
	ctx := servertest.Context(t, servertest.Limit)
	room := chat(t, ctx, alice, bob)
	request := map[string]any{"msgtype": "m.text", "body": "in clear"}
	url := bob.Client.BuildClientURL("v3", "rooms", room, "send", "m.room.message", "1")
	var sent struct {
		ID id.EventID `json:"event_id"`
	}
	if _, err := bob.Client.MakeRequest(ctx, "PUT", url, request, &sent); err != nil {
		t.Fatal(err)
	}
	shown(t, ctx, alice, 0, room, sent.ID, "not encrypted")
}

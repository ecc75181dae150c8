package e2e_test

import (
	"context"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// encryptedBy tells which device encrypted an event, as the homeserver has it.
func encryptedBy(t *testing.T, ctx context.Context, user *bridgeUser, room id.RoomID, evt id.EventID) *event.EncryptedEventContent {
	t.Helper()
	stored, err := user.Client.GetEvent(ctx, room, evt)
	if err != nil {
		t.Fatal(err)
	}
	if err = stored.Content.ParseRaw(event.EventEncrypted); err != nil {
		t.Fatal(err)
	}
	return stored.Content.AsEncrypted()
}

// isContactsOwn checks that a message was encrypted by the one device of its sender, and that the user's client trusts it.
func isContactsOwn(t *testing.T, ctx context.Context, user *bridgeUser, evt *event.Event) id.DeviceID {
	t.Helper()
	devices, err := user.Devices(ctx, evt.Sender)
	if err != nil {
		t.Fatal(err)
	}
	if len(devices) != 1 {
		t.Fatalf("%s has %d devices that can decrypt", evt.Sender, len(devices))
	}
	if evt.Mautrix.TrustSource == nil || evt.Mautrix.TrustSource.UserID != evt.Sender || evt.Mautrix.TrustSource.DeviceID != devices[0] {
		t.Errorf("the message is encrypted by %v, want the device of %s", evt.Mautrix.TrustSource, evt.Sender)
	}
	if evt.Mautrix.TrustState < id.TrustStateCrossSignedTOFU {
		t.Errorf("the message is only %s", evt.Mautrix.TrustState)
	}
	//lint:ignore SA1019 clients still read it
	if claimed := encryptedBy(t, ctx, user, evt.RoomID, evt.ID).DeviceID; claimed != devices[0] {
		t.Errorf("the event says that device %s encrypted it, want %s", claimed, devices[0])
	}
	return devices[0]
}

// TestEveryMessageIsEncryptedByItsSendersOwnDevice also for the first one, whose room is just made.
func TestEveryMessageIsEncryptedByItsSendersOwnDevice(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	first, second := unique("first"), unique("second")
	tells(t, ctx, bob, alice, first)
	received := alice.receives(t, ctx, first)
	device := isContactsOwn(t, ctx, alice, received)
	alice.waitPortal(t, ctx, received.RoomID)
	there := unique("there")
	alice.writes(t, ctx, received.RoomID, there)
	hears(t, ctx, bob, there)
	tells(t, ctx, bob, alice, second)
	if again := isContactsOwn(t, ctx, alice, alice.receives(t, ctx, second)); again != device {
		t.Errorf("the contact had device %s and now has %s", device, again)
	}
}

// TestContactsDevicesOutliveARestart and the bridge's loss of its database.
func TestContactsDevicesOutliveARestart(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	before, after := unique("before"), unique("after")
	tells(t, ctx, bob, alice, before)
	device := isContactsOwn(t, ctx, alice, alice.receives(t, ctx, before))
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	tells(t, ctx, bob, alice, after)
	if again := isContactsOwn(t, ctx, alice, alice.receives(t, ctx, after)); again != device {
		t.Errorf("the contact had device %s and now has %s", device, again)
	}
}

// TestANewDeviceOfTheUserReadsWhatContactsWriteNext: contacts' devices and the bot's all begin a new session.
func TestANewDeviceOfTheUserReadsWhatContactsWriteNext(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	before := unique("before")
	tells(t, ctx, bob, alice, before)
	room := alice.receives(t, ctx, before).RoomID
	alice.waitPortal(t, ctx, room)
	there := unique("there")
	alice.writes(t, ctx, room, there) // whoever answers has seen what came before
	hears(t, ctx, bob, there)

	tablet, err := s.NewDevice(ctx, alice.User)
	if err != nil {
		t.Fatal(err)
	}
	// The news of a device takes its own way. What is written meanwhile, the new device cannot read. Synapse may lose the news; then the
	// bridge looks by itself, once a minute.
	for try := 0; ; try++ {
		text := unique("new")
		mark := tablet.Mark()
		tells(t, ctx, bob, alice, text)
		soon, cancel := context.WithTimeout(ctx, patience/6)
		_, err = tablet.WaitAfter(soon, mark, text, matrixuser.MessageIn(room, "", text))
		cancel()
		if err == nil {
			break
		} else if try == 12 || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if devices := must(alice.Devices(ctx, alice.ID()))(t); len(devices) != 2 {
		t.Errorf("the user has %d devices", len(devices))
	}
}

// TestAContactsDeviceThatIsDeletedWithoutNewsIsMissedWithinAMinute, while its session goes on.
func TestAContactsDeviceThatIsDeletedWithoutNewsIsMissedWithinAMinute(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	reloaded(t, ctx, s, withRegistrations, s.Bridge.URL(), newsless(t, s.Bridge.URL()))
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	first := unique("first")
	tells(t, ctx, bob, alice, first)
	received := alice.receives(t, ctx, first)
	lost := isContactsOwn(t, ctx, alice, received)
	deletesDevice(t, ctx, s, received.Sender, lost)
	began := time.Now()
	// So few messages that their session is not used up meanwhile.
	for tick := time.NewTicker(4 * time.Second); ; <-tick.C {
		text := unique("later")
		tells(t, ctx, bob, alice, text)
		received = alice.receives(t, ctx, text)
		if devices := must(alice.Devices(ctx, received.Sender))(t); len(devices) > 0 {
			break
		} else if took := time.Since(began); took > 150*time.Second {
			t.Fatalf("after %s the device is not missed", took)
		}
	}
	if device := isContactsOwn(t, ctx, alice, received); device == lost {
		t.Error("the contact has the device that was deleted")
	}
}

// TestADeviceThatRanOutOfOneTimeKeysReadsTheMessageLater is of a device that was offline while many wrote to it for the first time.
func TestADeviceThatRanOutOfOneTimeKeysReadsTheMessageLater(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	tablet, err := s.NewDevice(ctx, alice.User)
	if err != nil {
		t.Fatal(err)
	}
	tablet.Pause()
	claim := &mautrix.ReqClaimKeys{OneTimeKeys: mautrix.OneTimeKeysRequest{
		alice.ID(): {tablet.Client.DeviceID: id.KeyAlgorithmSignedCurve25519},
	}}
	for claimed := true; claimed; {
		answer, err := alice.Client.ClaimKeys(ctx, claim)
		if err != nil {
			t.Fatal(err)
		}
		claimed = len(answer.OneTimeKeys[alice.ID()][tablet.Client.DeviceID]) > 0
	}
	text, there := unique("text"), unique("there")
	tells(t, ctx, bob, alice, text)
	received := alice.receives(t, ctx, text)
	room, contact := received.RoomID, received.Sender
	alice.waitPortal(t, ctx, room)

	// The other device would refuse to hand the key on, and mautrix' client believes that more than the key.
	alice.Pause()
	tablet.Resume()
	must(tablet.Wait(ctx, "own join", matrixuser.MembershipOf(room, alice.ID(), event.MembershipJoin)))(t)
	must(tablet.SendText(ctx, room, there))(t) // a sign of life
	must(tablet.Wait(ctx, "key from "+contact.String(), func(evt *event.Event) bool {
		return evt.Type == event.ToDeviceEncrypted && evt.Sender == contact
	}))(t)
	// The client may have given up on the message by now.
	message := must(tablet.Client.GetEvent(ctx, room, received.ID))(t)
	if err = message.Content.ParseRaw(event.EventEncrypted); err != nil {
		t.Fatal(err)
	}
	message = must(tablet.Client.Crypto.Decrypt(ctx, message))(t)
	if body := message.Content.AsMessage().Body; body != text {
		t.Errorf("read %q", body)
	}
	isContactsOwn(t, ctx, alice, message)
}

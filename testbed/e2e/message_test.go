package e2e_test

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/whatsapp"
)

// TestTheHomeserverSeesOnlyCiphertext looks at both directions as the homeserver stores them.
func TestTheHomeserverSeesOnlyCiphertext(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	there, back := unique("there"), unique("back")
	tells(t, ctx, bob, alice, there)
	received := alice.receives(t, ctx, there)
	alice.waitPortal(t, ctx, received.RoomID)
	sent := alice.writes(t, ctx, received.RoomID, back)
	hears(t, ctx, bob, back)

	for _, evt := range []id.EventID{received.ID, sent} {
		stored, err := alice.StoredEvent(ctx, received.RoomID, evt)
		if err != nil {
			t.Fatal(err)
		}
		if stored.Type != event.EventEncrypted.Type {
			t.Errorf("the homeserver has %s as %s", evt, stored.Type)
		}
		if strings.Contains(string(stored.JSON), there) || strings.Contains(string(stored.JSON), back) {
			t.Errorf("the homeserver can read %s", evt)
		}
	}
}

func TestTheBotsDeviceIsCrossSigned(t *testing.T) {
	ctx, s := shared(t)
	alice := newUser(t, ctx, s, "alice")
	devices, err := alice.Devices(ctx, s.Bot())
	if err != nil {
		t.Fatal(err)
	}
	if len(devices) != 1 {
		t.Fatalf("the bot has %d devices that can decrypt", len(devices))
	}
	trust, err := alice.DeviceTrust(ctx, s.Bot(), devices[0])
	if err != nil {
		t.Fatal(err)
	}
	if trust < id.TrustStateCrossSignedTOFU {
		t.Errorf("the bot's device is only %s", trust)
	}
}

// TestFormattingGoesBothWays tests that the converters are plugged in. What they do has tests of its own.
func TestFormattingGoesBothWays(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)

	there := unique("there")
	if _, err := alice.SendMarkdown(ctx, room, there+": **bold**, _italic_ and ~~gone~~, with `code`\n\nand a second line"); err != nil {
		t.Fatal(err)
	}
	heard, err := bob.Device().WaitMessage(ctx, there)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"*bold*", "_italic_", "~gone~", "`code`", "\n"} {
		if text := whatsapp.Text(heard.Message); !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}

	back := unique("back")
	tells(t, ctx, bob, alice, back+": *bold*, _italic_ and ~gone~, with ```code```\nand a <second> line")
	content := alice.receives(t, ctx, back).Content.AsMessage()
	if content.Format != event.FormatHTML {
		t.Errorf("the format is %q", content.Format)
	}
	for _, want := range []string{"<strong>bold</strong>", "<em>italic</em>", "<del>gone</del>", "code</", "&lt;second&gt;"} {
		if !strings.Contains(content.FormattedBody, want) {
			t.Errorf("%q is missing in %q", want, content.FormattedBody)
		}
	}
}

// TestEveryDeviceOfTheContactGetsEveryMessage also checks that what the contact writes on any of them arrives.
func TestEveryDeviceOfTheContactGetsEveryMessage(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 3)
	room := alice.startChat(t, ctx, bob.Phone)
	for range 3 {
		there := unique("there")
		alice.writes(t, ctx, room, there)
		hears(t, ctx, bob, there)
	}
	for _, device := range bob.Devices {
		back := unique("back")
		if _, err := device.SendText(ctx, alice.Address, back); err != nil {
			t.Fatal(err)
		}
		if got := alice.receives(t, ctx, back).RoomID; got != room {
			t.Errorf("a message from %s came in %s instead of %s", device.JID(), got, room)
		}
	}
}

// TestTwoUsersOfOneContactDoNotMeet: the same contact, two chats.
func TestTwoUsersOfOneContactDoNotMeet(t *testing.T) {
	ctx, s := shared(t)
	bob := newContact(t, ctx, s, "Bob", 1)
	alice, carol := newEnlisted(t, ctx, s, "alice"), newEnlisted(t, ctx, s, "carol")
	forAlice, forCarol := unique("for-alice"), unique("for-carol")
	tells(t, ctx, bob, alice, forAlice)
	tells(t, ctx, bob, carol, forCarol)
	if alice.receives(t, ctx, forAlice).RoomID == carol.receives(t, ctx, forCarol).RoomID {
		t.Error("both chats are one room")
	}
	for _, evt := range alice.Since(0) {
		if content, ok := evt.Content.Parsed.(*event.MessageEventContent); ok && strings.Contains(content.Body, forCarol) {
			t.Error("Alice got Carol's message")
		}
	}
}

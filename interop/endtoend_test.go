package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"postern/interop"
	"postern/interop/memstore"
)

const bobPhone = "+4915112345678"

// pair is a sandbox with one user of ours and one WhatsApp user.
func pair(t *testing.T, change ...func(*interop.Options)) (*sandbox, *user, *phone) {
	t.Helper()
	s := newSandbox(t)
	s.account(bobPhone, "Bob")
	bob := s.phone(bobPhone, "Bob")
	return s, s.enlist("alice", change...).start(), bob
}

func TestConversationWithWhatsmeow(t *testing.T) {
	_, alice, bob := pair(t)
	ctx := context.Background()
	contact, err := alice.Resolve(ctx, "+49 151 12345678")
	if err != nil || contact.JID != bob.jid || !contact.Reachable {
		t.Fatalf("got %+v, %v", contact, err)
	}

	first := alice.write(bob.jid, "hello Bob")
	alice.waitSent(first)
	got := bob.waitText("hello Bob")
	if got.Info.ID != first {
		t.Errorf("Bob has it as %s, we as %s", got.Info.ID, first)
	}
	if receipt := waitEvent[*interop.Receipt](alice); receipt.Type != interop.ReceiptDelivered || receipt.IDs[0] != first || receipt.Chat != bob.jid {
		t.Errorf("got %+v", receipt)
	}
	if err = bob.MarkRead(ctx, []types.MessageID{first}, time.Now(), got.Info.Chat, types.EmptyJID); err != nil {
		t.Fatal(err)
	}
	if receipt := waitEvent[*interop.Receipt](alice); receipt.Type != interop.ReceiptRead || receipt.IDs[0] != first {
		t.Errorf("got %+v", receipt)
	}

	answer := bob.write(got.Info.Chat, "hello Alice")
	message := alice.waitText("hello Alice")
	if message.ID != answer || message.Chat != bob.jid || message.PushName != "Bob" {
		t.Errorf("got %+v", message)
	}
	bob.waitReceipt(answer, types.ReceiptTypeDelivered)
	if err = alice.SendReceipt(ctx, bob.jid, []types.MessageID{answer}, interop.ReceiptRead, time.Now()); err != nil {
		t.Fatal(err)
	}
	bob.waitReceipt(answer, types.ReceiptTypeRead)

	if err = bob.SendChatPresence(ctx, got.Info.Chat, types.ChatPresenceComposing, types.ChatPresenceMediaAudio); err != nil {
		t.Fatal(err)
	}
	if state := waitEvent[*interop.ChatState](alice); !state.Composing || !state.Recording || state.Chat != bob.jid {
		t.Errorf("got %+v", state)
	}
	if err = alice.SendChatState(ctx, bob.jid, true); err != nil {
		t.Fatal(err)
	}
	waitSeen(bob, 0, func(p *events.ChatPresence) bool { return p.State == types.ChatPresenceComposing })

	for i := range 10 { // the ratchet turns
		out, in := fmt.Sprint("out ", i), fmt.Sprint("in ", i)
		alice.write(bob.jid, out)
		bob.waitText(out)
		bob.write(got.Info.Chat, in)
		alice.waitText(in)
	}
}

func TestMessagesWaitInTheMailbox(t *testing.T) {
	_, alice, bob := pair(t)
	alice.write(bob.jid, "hello")
	chat := bob.waitText("hello").Info.Chat
	alice.stop()
	const count = 30
	for i := range count {
		bob.write(chat, fmt.Sprint(i))
	}
	alice.renew()
	alice.start()
	for i := range count {
		if message := alice.waitText(fmt.Sprint(i)); !message.Offline {
			t.Errorf("message %d does not count as offline", i)
		}
	}
	if done := waitEvent[*interop.OfflineDelivered](alice); done.Count < count {
		t.Errorf("got %+v", done)
	}
}

func TestAllDevicesOfAContactGetTheMessage(t *testing.T) {
	s := newSandbox(t)
	s.account(bobPhone, "Bob")
	devices := []*phone{s.phone(bobPhone, "Bob"), s.phone(bobPhone, "Bob")}
	alice := s.enlist("alice").start()
	alice.write(devices[0].jid, "to all")
	for _, device := range devices {
		device.waitText("to all")
	}
	third := s.phone(bobPhone, "Bob") // while we are connected
	alice.write(third.jid, "to three")
	for _, device := range append(devices, third) {
		device.waitText("to three")
	}
	chat := third.waitText("to three").Info.Chat
	for i, device := range append(devices, third) {
		text := fmt.Sprint("from device ", i)
		device.write(chat, text)
		if message := alice.waitText(text); message.Chat != third.jid {
			t.Errorf("got %+v", message)
		}
	}
}

func TestSpoiledMessagesAreMended(t *testing.T) {
	s, alice, bob := pair(t)
	alice.write(bob.jid, "hello")
	chat := bob.waitText("hello").Info.Chat
	bob.write(chat, "hi")
	alice.waitText("hi")

	s.fault("corrupt", map[string]any{"account": "@alice:example.org", "count": 1})
	id := bob.write(chat, "spoiled on the way in")
	if failed := waitEvent[*interop.Undecryptable](alice); failed.ID != id {
		t.Errorf("got %+v", failed)
	}
	if mended := alice.waitText("spoiled on the way in"); mended.ID != id {
		t.Errorf("got %+v", mended)
	}
	bob.waitReceipt(id, types.ReceiptTypeDelivered)

	s.fault("corrupt", map[string]any{"account": bobPhone, "count": 1})
	alice.write(bob.jid, "spoiled on the way out")
	bob.waitText("spoiled on the way out")

	// More than once: then keys are needed.
	s.fault("corrupt", map[string]any{"account": "@alice:example.org", "count": 2})
	bob.write(chat, "spoiled twice")
	alice.waitText("spoiled twice")
	s.fault("corrupt", map[string]any{"account": bobPhone, "count": 2})
	alice.write(bob.jid, "spoiled twice out")
	bob.waitText("spoiled twice out")

	bob.write(chat, "and on")
	alice.waitText("and on")
	alice.write(bob.jid, "and back")
	bob.waitText("and back")
}

func TestEnlistingAnewChangesTheIdentity(t *testing.T) {
	s, alice, bob := pair(t)
	alice.write(bob.jid, "hello")
	chat := bob.waitText("hello").Info.Chat
	bob.write(chat, "hi")
	alice.waitText("hi")

	again := s.enlist("alice")
	if again.options.Account.JID != alice.options.Account.JID {
		t.Errorf("account is now %v, was %v", again.options.Account.JID, alice.options.Account.JID)
	}
	if ended := waitEvent[*interop.Ended](alice); ended.Err == nil {
		t.Error("no reason given")
	}
	again.start()
	bob.write(chat, "are you still there?")
	again.waitText("are you still there?")
	again.write(bob.jid, "with new keys")
	bob.waitText("with new keys")
}

func TestEnlistmentsThatAreRefused(t *testing.T) {
	s := newSandbox(t)
	alice := "@alice:example.org"
	for name, test := range map[string]struct {
		change func(*interop.Gatekeeper)
		want   string
	}{
		"UnknownIntegrator": {func(g *interop.Gatekeeper) { g.Integrator, g.Audience = 99, "unknown" }, "bad_integrator"},
		"Outdated":          {func(g *interop.Gatekeeper) { g.ProtocolVersion = [3]uint32{0, 9, 9} }, "old_version"},
	} {
		target := s.gatekeeper()
		test.change(target)
		_, err := interop.Enlist(context.Background(), nil, target, s.tokens, alice, interop.NewKeys())
		var refusal *interop.EnlistError
		if !errors.As(err, &refusal) || refusal.Reason != test.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := interop.Enlist(context.Background(), nil, s.gatekeeper(), forgedTokens{}, alice, interop.NewKeys())
	var refusal *interop.EnlistError
	if !errors.As(err, &refusal) || refusal.Reason != "bad_token" {
		t.Errorf("forged token: got %v", err)
	}
}

type forgedTokens struct{}

func (forgedTokens) Token(context.Context, string, string) (string, error) { return "a.b.c", nil }

func TestLoginsThatAreRefused(t *testing.T) {
	s := newSandbox(t)
	for name, test := range map[string]struct {
		change func(*interop.Options)
		want   error
	}{
		"OtherNoiseKey": {func(o *interop.Options) { o.Account.Keys.Noise = interop.NewKeyPair() }, interop.ErrNotEnlisted},
		"Outdated": {func(o *interop.Options) {
			target := *o.Gatekeeper
			target.ProtocolVersion = [3]uint32{0, 1, 0}
			o.Gatekeeper = &target
		}, interop.ErrOutdated},
	} {
		t.Run(name, func(t *testing.T) {
			alice := s.enlist("alice", test.change)
			alice.Start()
			if ended := waitEvent[*interop.Ended](alice); !errors.Is(ended.Err, test.want) {
				t.Errorf("got %v", ended.Err)
			}
		})
	}
	t.Run("ForgedToken", func(t *testing.T) {
		alice := s.enlist("alice", func(o *interop.Options) { o.Tokens = forgedTokens{} })
		alice.Start()
		alice.waitTokenRefused()
	})
	t.Run("ExpiredTokens", func(t *testing.T) {
		clock := newFakeClock()
		alice := s.enlist("alice", func(o *interop.Options) { o.Clock = clock })
		s.fault("expire-tokens", map[string]any{"on": true})
		alice.Start()
		for range 2 {
			pause := waitEvent[*interop.Disconnected](alice).RetryIn
			clock.waitArmed(t, pause, pause)
			clock.advance(pause)
		}
		pause := alice.waitTokenRefused()
		s.fault("expire-tokens", map[string]any{"on": false})
		clock.waitArmed(t, pause, pause)
		clock.advance(pause)
		waitEvent[*interop.Connected](alice)
	})
	t.Run("ForgottenAccount", func(t *testing.T) {
		alice := s.enlist("alice").start()
		s.control(http.MethodDelete, "/accounts/"+url.PathEscape("@alice:example.org"), map[string]any{}, nil)
		if ended := waitEvent[*interop.Ended](alice); !errors.Is(ended.Err, interop.ErrNotEnlisted) {
			t.Errorf("got %v", ended.Err)
		}
	})
}

// waitTokenRefused waits until the client says that it is its tokens, and returns when it tries again.
func (u *user) waitTokenRefused() time.Duration {
	u.tb.Helper()
	return u.wait(func(event interop.Event) bool {
		down, ok := event.(*interop.Disconnected)
		return ok && errors.Is(down.Err, interop.ErrTokenRefused)
	}, "Disconnected for the token").(*interop.Disconnected).RetryIn
}

func TestSecondConnectionReplacesTheFirst(t *testing.T) {
	s := newSandbox(t)
	alice := s.enlist("alice").start()
	first, events := alice.Client, alice.events
	alice.events = newRecorder(t)
	alice.options.Handler = alice.events
	alice.options.Store = memstore.New()
	alice.renew()
	alice.start()
	alice.events = events
	if down := waitEvent[*interop.Disconnected](alice); !errors.Is(down.Err, interop.ErrReplaced) {
		t.Errorf("got %v", down.Err)
	}
	if first.IsConnected() {
		t.Error("the first is still connected")
	}
}

func TestContactsThatCannotBeReached(t *testing.T) {
	s, alice, bob := pair(t)
	ctx := context.Background()
	if _, err := alice.Resolve(ctx, "+4915100000000"); !errors.Is(err, interop.ErrUnknownContact) {
		t.Errorf("got %v", err)
	}
	s.control(http.MethodPatch, "/accounts/"+url.PathEscape(bobPhone), map[string]any{"third_party": false}, nil)
	contact, err := alice.Resolve(ctx, bobPhone)
	if err != nil || contact.Reachable {
		t.Errorf("got %+v, %v", contact, err)
	}
	alice.write(bob.jid, "nobody reads this")
	if result := waitEvent[*interop.SendResult](alice); !errors.Is(result.Err, interop.ErrNotReachable) {
		t.Errorf("got %v", result.Err)
	}
	alice.write(types.NewJID("4915100000000", types.DefaultUserServer), "nor this")
	if result := waitEvent[*interop.SendResult](alice); !errors.Is(result.Err, interop.ErrUnknownContact) {
		t.Errorf("got %v", result.Err)
	}
}

func TestPictureOfAContact(t *testing.T) {
	s, alice, bob := pair(t)
	ctx := context.Background()
	if picture, err := alice.Picture(ctx, bob.jid); picture != nil || err != nil {
		t.Errorf("got %+v, %v", picture, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, s.ControlURL()+"/accounts/"+url.PathEscape(bobPhone)+"/picture", strings.NewReader(pictureBytes))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	picture, err := alice.Picture(ctx, bob.jid)
	if err != nil || picture == nil {
		t.Fatalf("got %+v, %v", picture, err)
	}
	if response, err = http.Get(picture.URL); err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if data, err := io.ReadAll(response.Body); err != nil || string(data) != pictureBytes {
		t.Errorf("got %d bytes, %v", len(data), err)
	}
}

func TestLeavingTheSandbox(t *testing.T) {
	s, alice, _ := pair(t)
	if err := alice.Leave(context.Background()); err != nil {
		t.Fatal(err)
	}
	alice.Start()
	if ended := waitEvent[*interop.Ended](alice); !errors.Is(ended.Err, interop.ErrNotEnlisted) {
		t.Errorf("got %v", ended.Err)
	}
	if s.saw("leave") != 1 {
		t.Error("gatekeeper saw nobody leave")
	}
}

// TestGatekeeperRestartsInTheMiddle stops the gatekeeper while messages go both ways, with more cuts in between.
func TestGatekeeperRestartsInTheMiddle(t *testing.T) {
	s, alice, bob := pair(t)
	alice.write(bob.jid, "hello")
	chat := bob.waitText("hello").Info.Chat
	const count = 60
	for i := range count {
		alice.write(bob.jid, fmt.Sprint("out ", i))
		switch i {
		case 20:
			s.fault("drop", map[string]any{"account": "@alice:example.org"})
		case 40:
			s.stop()
			s.launch()
			bob.connect(s.RootKey())
		}
	}
	for i := range count {
		bob.waitText(fmt.Sprint("out ", i))
	}
	for i := range count {
		bob.write(chat, fmt.Sprint("in ", i))
		if i%20 == 10 {
			s.fault("drop", map[string]any{"account": "@alice:example.org"})
		}
	}
	for i := range count {
		alice.waitText(fmt.Sprint("in ", i))
	}
	// Each once, and in order.
	next := 0
	bob.mu.Lock()
	defer bob.mu.Unlock()
	for _, event := range bob.seen {
		if message, ok := event.(*events.Message); ok && message.Message.GetConversation() != "hello" {
			if want := fmt.Sprint("out ", next); message.Message.GetConversation() != want {
				t.Errorf("got %q, want %q", message.Message.GetConversation(), want)
			}
			next++
		}
	}
}

const pictureBytes = "\x89PNG\r\n\x1a\n a picture"

package homeserver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

func TestTransactionIDIsTheMessages(t *testing.T) {
	key, otherKey := [32]byte{1}, [32]byte{2}
	make := func(change func(extra *bridgev2.MatrixSendExtra)) *bridgev2.MatrixSendExtra {
		extra := metaOf("one")
		if change != nil {
			change(extra)
		}
		return extra
	}
	of := func(extra *bridgev2.MatrixSendExtra) string {
		return homeserver.TransactionID(key, room, "@bob", extra)
	}
	first := of(make(nil))
	if first == "" || of(make(nil)) != first {
		t.Errorf("got %q and %q for the same message", first, of(make(nil)))
	}
	later := of(make(func(extra *bridgev2.MatrixSendExtra) { extra.Timestamp = time.Unix(1_770_000_000, 0) }))
	if later != first {
		t.Error("the time of a new message makes a difference")
	}
	edit := func(at int64) string {
		return of(make(func(extra *bridgev2.MatrixSendExtra) {
			extra.MessageMeta.MXID, extra.Timestamp = "$event", time.Unix(at, 0)
		}))
	}
	if one, again := edit(1), edit(1); one != again {
		t.Errorf("the same edit differs: %s, %s", one, again)
	}
	seen := map[string]string{first: "first"}
	for name, other := range map[string]string{
		"key":      homeserver.TransactionID(otherKey, room, "@bob", metaOf("one")),
		"room":     homeserver.TransactionID(key, "!other", "@bob", metaOf("one")),
		"sender":   homeserver.TransactionID(key, room, "@carol", metaOf("one")),
		"message":  of(metaOf("two")),
		"part":     of(make(func(extra *bridgev2.MatrixSendExtra) { extra.MessageMeta.PartID = "1" })),
		"receiver": of(make(func(extra *bridgev2.MatrixSendExtra) { extra.MessageMeta.Room.Receiver = "other" })),
		"boundary": of(make(func(extra *bridgev2.MatrixSendExtra) { extra.MessageMeta.ID, extra.MessageMeta.PartID = "on", "e" })),
		"edit":     edit(1),
		"second":   edit(2),
	} {
		if seen[other] != "" {
			t.Errorf("another %s has the same id as another %s", name, seen[other])
		}
		seen[other] = name
	}
	for name, extra := range map[string]*bridgev2.MatrixSendExtra{
		"nothing": nil, "no message": {}, "no id": metaOf(networkid.MessageID("")),
	} {
		if got := of(extra); got != "" {
			t.Errorf("%s has the id %q", name, got)
		}
	}
}

func TestMessageIsSentEncryptedUnderItsTransactionID(t *testing.T) {
	s := newStack(t)
	for range 2 {
		if _, err := s.send(context.Background(), "one"); err != nil {
			t.Fatal(err)
		}
	}
	want := s.transactionID(s.connector.FormatGhostMXID("bob"), "one")
	sent := s.fake.made("PUT", "/send/")
	if len(sent) != 2 {
		t.Fatalf("%d messages sent", len(sent))
	}
	for _, request := range sent {
		if !strings.HasSuffix(request.Path, "/send/m.room.encrypted/"+want) {
			t.Errorf("sent as %s, want transaction %s", request.Path, want)
		}
		if strings.Contains(request.Body, "hello") || !strings.Contains(request.Body, "m.megolm.v1.aes-sha2") {
			t.Errorf("sent %s", request.Body)
		}
		if !strings.Contains(request.Query, "ts=1760000000000") {
			t.Errorf("the message has another time: %s", request.Query)
		}
	}
}

func TestNothingIsSentIntoAChatThatIsNotEncrypted(t *testing.T) {
	s := newStack(t)
	ctx := context.Background()
	const clear = id.RoomID("!clear:example.org")
	s.makePortal(t, "carol", clear)
	for name, intent := range map[string]bridgev2.MatrixAPI{"contact": s.connector.GhostIntent("carol"), "bot": s.connector.BotIntent()} {
		_, err := intent.SendMessage(ctx, clear, event.EventMessage, text("hello"), metaOf("one"))
		if !errors.Is(err, homeserver.ErrNotEncrypted) {
			t.Errorf("%s: error %v, want ErrNotEncrypted", name, err)
		}
	}
	if sent := s.fake.made("PUT", "/send/"); len(sent) > 0 {
		t.Errorf("sent %s", sent[0].Body)
	}
}

func TestRoomWithTheBotMayBeUnencrypted(t *testing.T) {
	s := newStack(t)
	_, err := s.connector.BotIntent().SendMessage(context.Background(), "!management:example.org", event.EventMessage, text("hello"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if sent := s.fake.made("PUT", "send/m.room.message"); len(sent) != 1 {
		t.Errorf("%d messages sent, want 1", len(sent))
	}
}

func TestNothingIsSentWhileItIsUnknownIfTheRoomIsEncrypted(t *testing.T) {
	s := newStack(t)
	s.fake.setRefusal("m.room.encryption", 500, "M_UNKNOWN")
	_, err := s.connector.BotIntent().SendMessage(context.Background(), "!unknown:example.org", event.EventMessage, text("hello"), nil)
	if !isStatus(err, 500) {
		t.Errorf("error %v, want what the homeserver answered", err)
	}
	if sent := s.fake.made("PUT", "/send/"); len(sent) > 0 {
		t.Errorf("sent %s", sent[0].Body)
	}
}

func TestFailureTellsWhyNothingWasSent(t *testing.T) {
	s := newStack(t)
	s.fake.setRefusal("/send/", 413, "M_TOO_LARGE")
	var failure homeserver.Failure
	if _, err := s.send(homeserver.WithFailure(context.Background(), &failure), "one"); err == nil || !errors.Is(err, failure.Err) {
		t.Errorf("error %v, failure %v", err, failure.Err)
	}
}

func TestAccessTokensOfUsersAreRefused(t *testing.T) {
	s := newStack(t)
	if _, _, err := s.connector.NewUserIntent(context.Background(), alice, "syt_secret"); !errors.Is(err, homeserver.ErrTokenLogin) {
		t.Errorf("error %v, want ErrTokenLogin", err)
	}
}

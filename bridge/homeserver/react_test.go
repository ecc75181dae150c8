package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// reactionMeta is what bridgev2 says of a reaction from the contact.
func reactionMeta(change func(reaction *database.Reaction)) *bridgev2.MatrixSendExtra {
	extra := &bridgev2.MatrixSendExtra{Timestamp: time.Unix(1_760_000_000, 0), ReactionMeta: &database.Reaction{
		Room: networkid.PortalKey{ID: "bob", Receiver: login}, MessageID: "one", SenderID: "bob", Emoji: "👍",
	}}
	if change != nil {
		change(extra.ReactionMeta)
	}
	return extra
}

func (s *stack) react(ctx context.Context) (*mautrix.RespSendEvent, error) {
	return s.connector.GhostIntent("bob").SendMessage(ctx, room, event.EventReaction, &event.Content{
		Parsed: &event.ReactionEventContent{RelatesTo: event.RelatesTo{Type: event.RelAnnotation, EventID: "$target", Key: "👍"}},
		Raw:    map[string]any{"extra": true},
	}, reactionMeta(nil))
}

func TestTransactionIDIsTheReactions(t *testing.T) {
	key := [32]byte{1}
	of := func(extra *bridgev2.MatrixSendExtra) string {
		return homeserver.TransactionID(key, room, "@bob", extra)
	}
	first := of(reactionMeta(nil))
	if first == "" || of(reactionMeta(nil)) != first {
		t.Errorf("got %q and %q for the same reaction", first, of(reactionMeta(nil)))
	}
	later := reactionMeta(nil)
	later.Timestamp = later.Timestamp.Add(time.Second)
	seen := map[string]string{first: "first"}
	for name, other := range map[string]string{
		"room":    homeserver.TransactionID(key, "!other", "@bob", reactionMeta(nil)),
		"sender":  homeserver.TransactionID(key, room, "@carol", reactionMeta(nil)),
		"target":  of(reactionMeta(func(reaction *database.Reaction) { reaction.MessageID = "two" })),
		"part":    of(reactionMeta(func(reaction *database.Reaction) { reaction.MessagePartID = "1" })),
		"emoji":   of(reactionMeta(func(reaction *database.Reaction) { reaction.Emoji = "👎" })),
		"id":      of(reactionMeta(func(reaction *database.Reaction) { reaction.EmojiID = "👍"; reaction.Emoji = "" })),
		"time":    of(later),
		"message": of(metaOf("one")),
	} {
		if other == "" || seen[other] != "" {
			t.Errorf("another %s has the id %q of another %s", name, other, seen[other])
		}
		seen[other] = name
	}
	if got := of(reactionMeta(func(reaction *database.Reaction) { reaction.MessageID = "" })); got != "" {
		t.Errorf("a reaction to nothing has the id %q", got)
	}
}

func TestReactionIsSentUnderItsTransactionID(t *testing.T) {
	s := newStack(t)
	var answers []id.EventID
	for range 2 {
		answer, err := s.react(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, answer.EventID)
	}
	want := homeserver.TransactionID(s.secrets("matrix-transaction-id"), room, s.connector.FormatGhostMXID("bob"), reactionMeta(nil))
	sent := s.fake.made("PUT", "send/m.reaction")
	if len(sent) != 2 || answers[0] != answers[1] {
		t.Fatalf("%d sent, events %v", len(sent), answers)
	}
	for _, request := range sent {
		if !strings.HasSuffix(request.Path, "/"+want) || !strings.Contains(request.Body, want) || !strings.Contains(request.Body, `"extra":true`) ||
			!strings.Contains(request.Body, "$target") || !strings.Contains(request.Query, "ts=1760000000000") {
			t.Errorf("sent %+v", request)
		}
	}
}

func TestReactionThatAnEarlierRunSentIsNotSentAgain(t *testing.T) {
	s := newStack(t)
	bob := s.connector.FormatGhostMXID("bob")
	mark := homeserver.TransactionID(s.secrets("matrix-transaction-id"), room, bob, reactionMeta(nil))
	s.fake.lock.Lock()
	s.fake.timeline = append(s.fake.timeline, fmt.Sprintf(
		`{"event_id":"$before","type":"m.reaction","sender":%q,"content":{"org.postern.id":%q}}`, bob, mark))
	s.fake.lock.Unlock()
	answer, err := s.react(homeserver.WithRepeat(context.Background()))
	if err != nil || answer.EventID != "$before" || len(s.fake.made("PUT", "send/m.reaction")) > 0 {
		t.Errorf("got %v %v", answer, err)
	}
}

func TestDuplicateReactionIsTheOneThatTheHomeserverHas(t *testing.T) {
	reaction := func(evt, sender, target, emoji string) string {
		return fmt.Sprintf(`{"event_id":%q,"type":"m.reaction","sender":%q,"content":{"m.relates_to":{"rel_type":"m.annotation","event_id":%q,"key":%q}}}`,
			evt, sender, target, emoji)
	}
	const bob = "@postern_bob:example.org"
	others := strings.Join([]string{
		"null", reaction("$1", "@mallory:example.org", "$target", "👍"), reaction("$2", bob, "$target", "👎"), reaction("$3", bob, "$other", "👍"),
	}, ",")
	for name, test := range map[string]struct{ chunk, want string }{
		"there":     {others + "," + reaction("$before", bob, "$target", "👍"), "$before"},
		"not there": {others, ""},
	} {
		s := newStack(t)
		s.fake.setRefusal("send/m.reaction", 400, "M_DUPLICATE_ANNOTATION")
		s.fake.relations = `{"chunk":[` + test.chunk + `]}`
		var failure homeserver.Failure
		answer, err := s.react(homeserver.WithFailure(context.Background(), &failure))
		if test.want == "" {
			if !isStatus(err, 400) || !errors.Is(failure.Err, err) {
				t.Errorf("%s: got %v, error %v, failure %v", name, answer, err, failure.Err)
			}
		} else if err != nil || answer.EventID != id.EventID(test.want) || failure.Err != nil {
			t.Errorf("%s: got %v, error %v, failure %v", name, answer, err, failure.Err)
		}
	}
}

func TestFailureTellsOfReactionsAndRedactions(t *testing.T) {
	s := newStack(t)
	s.fake.setRefusal("send/m.reaction", 403, "M_FORBIDDEN")
	s.fake.setRefusal("/redact/", 403, "M_FORBIDDEN")
	var reaction, redaction homeserver.Failure
	_, _ = s.react(homeserver.WithFailure(context.Background(), &reaction))
	_, _ = s.connector.GhostIntent("bob").SendMessage(homeserver.WithFailure(context.Background(), &redaction), room, event.EventRedaction,
		&event.Content{Parsed: &event.RedactionEventContent{Redacts: "$target"}}, nil)
	if !isStatus(reaction.Err, 403) || !isStatus(redaction.Err, 403) {
		t.Errorf("failures %v and %v", reaction.Err, redaction.Err)
	}
}

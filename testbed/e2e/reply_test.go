package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/whatsapp"
)

// answered is a kind of message that is answered.
type answered struct {
	// contactSends and userSends send one.
	contactSends func(ctx context.Context, c *conversation) (types.MessageID, error)
	userSends    func(ctx context.Context, c *conversation) (id.EventID, error)
	// inRoom and atContact recognise one; the second also recognises its quote.
	inRoom    func(*event.Event) bool
	atContact func(message *waE2E.Message, author string) bool
}

func answeredKinds(t *testing.T) map[string]answered {
	picture, webp := drawPicture(t), drawSticker(t)
	return map[string]answered{
		"text": {
			func(ctx context.Context, c *conversation) (types.MessageID, error) {
				return c.bob.Device().SendText(ctx, c.alice.Address, "words of Bob")
			},
			func(ctx context.Context, c *conversation) (id.EventID, error) {
				return c.alice.SendText(ctx, c.room, "words of Alice")
			},
			matrixuser.MessageIn("", "", "words of"),
			func(m *waE2E.Message, author string) bool { return whatsapp.Text(m) == "words of "+author },
		},
		"picture": {
			func(ctx context.Context, c *conversation) (types.MessageID, error) {
				return c.bob.Device().SendMedia(ctx, c.alice.Address, whatsmeow.MediaImage, bytes.NewReader(picture),
					whatsapp.MediaOptions{MimeType: "image/png", Caption: "picture of Bob"})
			},
			func(ctx context.Context, c *conversation) (id.EventID, error) {
				return c.alice.SendFile(ctx, c.room, matrixuser.FileOptions{
					MsgType: event.MsgImage, FileName: "picture.png", MimeType: "image/png", Data: picture, Caption: "picture of Alice",
				})
			},
			matrixuser.FileIn("", "", event.MsgImage),
			func(m *waE2E.Message, author string) bool {
				return m.GetImageMessage().GetCaption() == "picture of "+author
			},
		},
		"location": {
			func(ctx context.Context, c *conversation) (types.MessageID, error) {
				return c.bob.Device().SendLocation(ctx, c.alice.Address, whatsapp.Location{Latitude: 52.5, Longitude: -13.25, Name: "place of Bob"})
			},
			func(ctx context.Context, c *conversation) (id.EventID, error) {
				return c.alice.SendLocation(ctx, c.room, "geo:52.5,-13.25", "place of Alice")
			},
			func(evt *event.Event) bool {
				return matrixuser.MessageIn("", "", "")(evt) && evt.Content.AsMessage().MsgType == event.MsgLocation
			},
			func(m *waE2E.Message, _ string) bool { return m.GetLocationMessage().GetDegreesLatitude() == 52.5 },
		},
		"sticker": {
			func(ctx context.Context, c *conversation) (types.MessageID, error) {
				return c.bob.Device().SendSticker(ctx, c.alice.Address, webp, false)
			},
			func(ctx context.Context, c *conversation) (id.EventID, error) {
				return c.alice.SendSticker(ctx, c.room, matrixuser.FileOptions{FileName: "a cat", MimeType: "image/webp", Data: webp})
			},
			matrixuser.StickerIn("", ""),
			func(m *waE2E.Message, _ string) bool { return m.GetStickerMessage() != nil },
		},
	}
}

// drawSticker returns the smallest WebP picture, of one pixel.
func drawSticker(t *testing.T) []byte {
	t.Helper()
	return must(base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="))(t)
}

// TestRepliesBothWays answers every kind of message in both directions: the other's, and one's own.
func TestRepliesBothWays(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	account := must(s.Gatekeeper.Account(ctx, c.alice.ID().String()))(t)
	for name, kind := range answeredKinds(t) {
		t.Run(name, func(t *testing.T) {
			fromBob := must(kind.contactSends(ctx, c))(t)
			inRoom := c.alice.sees(t, ctx, name+" of the contact", func(evt *event.Event) bool {
				return evt.RoomID == c.room && evt.Sender != c.alice.ID() && kind.inRoom(evt)
			})
			fromAlice := must(kind.userSends(ctx, c))(t)
			sent := c.alice.sees(t, ctx, "own "+name, func(evt *event.Event) bool { return evt.ID == fromAlice && kind.inRoom(evt) })
			heard := gets(t, ctx, c.bob, name, func(m *waE2E.Message) bool { return kind.atContact(m, "Alice") })

			answer := c.aliceReplies(t, ctx, inRoom)
			checkQuote(t, answer, fromBob, c.bob.JID.String(), func(m *waE2E.Message) bool { return kind.atContact(m, "Bob") })
			answer = c.aliceReplies(t, ctx, sent)
			checkQuote(t, answer, heard.Info.ID, account.JID, func(m *waE2E.Message) bool { return kind.atContact(m, "Alice") })
			c.bobReplies(t, ctx, whatsapp.QuoteOf(heard), fromAlice)
			c.bobReplies(t, ctx, whatsapp.Quote{ID: fromBob, Sender: c.bob.JID}, inRoom.ID)
		})
	}
}

// aliceReplies answers an event and returns what the contact gets.
func (c *conversation) aliceReplies(t *testing.T, ctx context.Context, to *event.Event) *events.Message {
	t.Helper()
	words := unique("answer")
	must(c.alice.Reply(ctx, c.room, to, words))(t)
	return must(c.bob.Device().WaitMessage(ctx, words))(t)
}

// bobReplies answers a message, and checks that the answer belongs to the event.
func (c *conversation) bobReplies(t *testing.T, ctx context.Context, to whatsapp.Quote, about id.EventID) {
	t.Helper()
	words := unique("answer")
	must(c.bob.Device().SendReply(ctx, c.alice.Address, to, words))(t)
	if answer := c.alice.receives(t, ctx, words).Content.AsMessage(); answer.RelatesTo.GetReplyTo() != about || answer.Body != words {
		t.Errorf("%q answers %q, and not %q", answer.Body, answer.RelatesTo.GetReplyTo(), about)
	}
}

func checkQuote(t *testing.T, answer *events.Message, about types.MessageID, author string, same func(*waE2E.Message) bool) {
	t.Helper()
	info := answer.Message.GetExtendedTextMessage().GetContextInfo()
	if info.GetStanzaID() != about || info.GetParticipant() != author {
		t.Errorf("it answers %q of %q, and not %q of %q", info.GetStanzaID(), info.GetParticipant(), about, author)
	}
	if !same(info.GetQuotedMessage()) {
		t.Errorf("it quotes %v", info.GetQuotedMessage())
	}
}

// TestRepliesToWhatIsNotHere: the contact's quote is shown as words, and the user's answer is sent as a message of its own.
func TestRepliesToWhatIsNotHere(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	words := unique("answer")
	long := whatsapp.Quote{ID: "3EB000000000000000", Sender: c.bob.JID, Message: &waE2E.Message{Conversation: proto.String("long ago")}}
	must(c.bob.Device().SendReply(ctx, c.alice.Address, long, words))(t)
	shown := c.alice.receives(t, ctx, words).Content.AsMessage()
	if shown.RelatesTo.GetReplyTo() != "" || shown.Body != "> long ago\n"+words {
		t.Errorf("%q answers %q", shown.Body, shown.RelatesTo.GetReplyTo())
	}

	unbridged := c.unbridged(t, ctx)
	if heard := c.aliceReplies(t, ctx, unbridged); heard.Message.GetConversation() == "" {
		t.Errorf("the contact got %v", heard.Message)
	}
}

// TestAReplyToAnEditedMessage quotes the new words. Synapse tells the edit together with the event, Dendrite has to be asked.
func TestAReplyToAnEditedMessage(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	first, second := unique("first"), unique("second")
	sent := tells(t, ctx, c.bob, c.alice, first)
	original := c.alice.receives(t, ctx, first)
	must(c.bob.Device().Edit(ctx, c.alice.Address, sent, second))(t)
	c.alice.sees(t, ctx, "edit", matrixuser.EditOf(original.ID))
	checkQuote(t, c.aliceReplies(t, ctx, original), sent, c.bob.JID.String(), func(m *waE2E.Message) bool { return whatsapp.Text(m) == second })
}

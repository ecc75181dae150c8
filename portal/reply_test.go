package portal_test

import (
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

func answering(participant string, quoted *waE2E.Message) *waE2E.ContextInfo {
	return &waE2E.ContextInfo{StanzaID: proto.String("3EB0C431"), Participant: proto.String(participant), QuotedMessage: quoted}
}

func answer(body string, info *waE2E.ContextInfo) *waE2E.Message {
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(body), ContextInfo: info}}
}

func TestReplyTargets(t *testing.T) {
	const contact, theirs, ours = "whatsapp-4915112345678", "in:whatsapp-4915112345678:3EB0C431", "out:whatsapp-4915112345678:3EB0C431"
	picture := image()
	picture.ContextInfo = answering("4915112345678@s.whatsapp.net", nil)
	for name, test := range map[string]struct {
		message *waE2E.Message
		want    []networkid.MessageID
	}{
		"to their own":  {answer("yes", answering("4915112345678@s.whatsapp.net", text("x"))), []networkid.MessageID{theirs, ours}},
		"with a device": {answer("yes", answering("4915112345678:3@s.whatsapp.net", text("x"))), []networkid.MessageID{theirs, ours}},
		"by LID":        {answer("yes", answering("130455123456789@lid", text("x"))), []networkid.MessageID{theirs, ours}},
		"to ours":       {answer("yes", answering("1-10853634039893@interop", text("x"))), []networkid.MessageID{ours, theirs}},
		"to nobody":     {answer("yes", answering("", nil)), []networkid.MessageID{ours, theirs}},
		"to rubbish":    {answer("yes", answering("::@@", nil)), []networkid.MessageID{ours, theirs}},
		"by a picture":  {&waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: picture}}}, []networkid.MessageID{theirs, ours}},
		"no answer":     {text("yes"), nil},
		"bad id":        {answer("yes", &waE2E.ContextInfo{StanzaID: proto.String("a b")}), nil},
	} {
		if got := portal.ReplyIDs(test.message, contact); !slices.Equal(got, test.want) {
			t.Errorf("%s: ReplyIDs = %q, want %q", name, got, test.want)
		}
	}
}

func TestReplyPointsToItsTarget(t *testing.T) {
	converted := convertMessage(t, answer("yes", answering("", text("secret"))), &portal.Context{ReplyTo: messageRow})
	if converted.ReplyTo == nil || converted.ReplyTo.MessageID != messageRow || converted.Parts[0].Content.Body != "yes" {
		t.Errorf("converted = %+v, %+v", converted.ReplyTo, converted.Parts[0].Content)
	}
}

func TestReplyToWhatIsNotHereShowsTheQuote(t *testing.T) {
	caption := image()
	caption.Caption = proto.String("our house")
	once := image()
	once.ViewOnce, once.Caption = proto.Bool(true), proto.String("secret")
	for name, test := range map[string]struct {
		quoted *waE2E.Message
		want   string
	}{
		"text":      {text("first\n\nsecond"), "> first\n> second\nyes"},
		"picture":   {&waE2E.Message{ImageMessage: caption}, "> a picture\n> our house\nyes"},
		"view once": {&waE2E.Message{ImageMessage: once}, "> a picture\nyes"},
		"nothing":   {nil, "> an earlier message\nyes"},
		"long":      {text(strings.Repeat("x", 5000)), "> " + strings.Repeat("x", 300) + "…\nyes"},
		"code":      {text("```open"), "> open\nyes"},
	} {
		content := onlyPart(t, answer("yes", answering("", test.quoted)))
		if content.Body != test.want || content.MsgType != event.MsgText || !strings.Contains(content.FormattedBody, "<blockquote>") {
			t.Errorf("%s: %q, %q", name, content.Body, content.FormattedBody)
		}
	}
}

func TestQuoteGoesWithEveryKind(t *testing.T) {
	picture, sticker := image(), place(&waE2E.Message{StickerMessage: &waE2E.StickerMessage{}}).StickerMessage
	picture.ContextInfo, sticker.ContextInfo = answering("", text("what?")), answering("", text("what?"))
	files := &portal.Context{Files: []*portal.Stored{onServer("image/webp")}}
	if content := convertMessage(t, &waE2E.Message{ImageMessage: picture}, files).Parts[0].Content; content.Body != "> what?" || content.FileName != "image.jpg" {
		t.Errorf("content = %+v", content)
	}
	parts := convertMessage(t, &waE2E.Message{StickerMessage: sticker}, files).Parts
	if len(parts) != 2 || parts[0].Type != event.EventSticker || parts[1].ID != "001" || parts[1].Content.Body != "In answer to:\n> what?" {
		t.Errorf("%d parts, last %+v", len(parts), parts[len(parts)-1].Content)
	}
}

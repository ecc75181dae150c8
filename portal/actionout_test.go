package portal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/interop/wire"
	"postern/portal"
)

func jid(text string) types.JID {
	parsed, err := wire.ParseJID(text)
	if err != nil {
		panic(err)
	}
	return parsed
}

var chat = jid("4915112345678@s.whatsapp.net")

// TestActionsAreUnderstoodByTheOtherSide reads what we make as a contact's app would: our own messages are "from me".
func TestActionsAreUnderstoodByTheOtherSide(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	edited, err := portal.EditToInterop(&event.MessageEventContent{MsgType: event.MsgText, Body: "* new", NewContent: &event.MessageEventContent{MsgType: event.MsgText, Body: "new"}}, "3EB0", chat, text("old"), at)
	if err != nil {
		t.Fatal(err)
	}
	toOurs, err := portal.ReactionToInterop("3EB0", true, chat, "👍", at)
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := portal.ReactionToInterop("3EB0", false, chat, "", at)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		message *waE2E.Message
		want    portal.Action
	}{
		"edit":             {edited, portal.Action{Kind: portal.ActionEdit, Target: "3EB0", Direction: portal.FromContact, At: at}},
		"deletion":         {portal.DeleteToInterop("3EB0", chat), portal.Action{Kind: portal.ActionDelete, Target: "3EB0", Direction: portal.FromContact}},
		"reaction":         {toOurs, portal.Action{Kind: portal.ActionReact, Target: "3EB0", Direction: portal.FromContact, Emoji: "👍\ufe0f", At: at}},
		"reaction revoked": {revoked, portal.Action{Kind: portal.ActionReact, Target: "3EB0", Direction: portal.FromUser, At: at}},
		"timer":            {timerMessage(7 * 24 * time.Hour), portal.Action{Kind: portal.ActionTimer, Timer: 7 * 24 * time.Hour}},
		"timer off":        {timerMessage(0), portal.Action{Kind: portal.ActionTimer}},
	} {
		got, err := portal.ActionOf(test.message)
		if err != nil || got == nil {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		if name == "edit" && got.Edited.GetConversation() != "new" {
			t.Errorf("edited to %v", got.Edited)
		}
		got.Edited = nil
		if *got != test.want {
			t.Errorf("%s: %+v, want %+v", name, *got, test.want)
		}
	}
	if key := edited.GetEditedMessage().GetMessage().GetProtocolMessage().GetKey(); key.GetRemoteJID() != chat.String() || !key.GetFromMe() || key.Participant != nil {
		t.Errorf("key = %v", key)
	}
}

func TestReactionsAreEmoji(t *testing.T) {
	for _, bad := range []string{"mxc://example.org/emoji", strings.Repeat("x", 65), "a b", "a\x00", "\xff"} {
		_, err := portal.ReactionToInterop("3EB0", true, chat, bad, time.Now())
		var status bridgev2.MessageStatus
		if !errors.Is(err, portal.ErrInvalidEmoji) || !errors.As(err, &status) || status.Message == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEditOfAFileChangesTheCaption(t *testing.T) {
	picture := image()
	picture.Caption = proto.String("old")
	document := place(&waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{Mimetype: proto.String("application/pdf"), Caption: proto.String("old")}})
	wrapped := &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: document}}
	for name, original := range map[string]*waE2E.Message{"picture": {ImageMessage: picture}, "document": wrapped} {
		before := proto.CloneOf(original)
		content := file(event.MsgImage, "image/jpeg", 1234)
		if name == "document" {
			content = file(event.MsgFile, "application/pdf", 1234)
		}
		message, err := portal.EditToInterop(&content, "3EB0", chat, original, time.Now())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		edited := message.GetEditedMessage().GetMessage().GetProtocolMessage().GetEditedMessage()
		files, err := portal.Files(edited)
		if err != nil || len(files) != 1 || !strings.Contains(edited.String(), "body") || strings.Contains(edited.String(), "old") || !proto.Equal(original, before) {
			t.Errorf("%s: edited = %v, %v", name, edited, err)
		}
	}
}

func TestEditKeepsWhatIsAnswered(t *testing.T) {
	original := answer("old", answering("", text("first")))
	message, err := portal.EditToInterop(&event.MessageEventContent{MsgType: event.MsgText, Body: "new"}, "3EB0", chat, original, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	edited := message.GetEditedMessage().GetMessage().GetProtocolMessage().GetEditedMessage().GetExtendedTextMessage()
	if edited.GetText() != "new" || edited.GetContextInfo().GetStanzaID() != "3EB0C431" {
		t.Errorf("edited = %v", edited)
	}
}

func TestEditsThatCannotBeMadeAreRefused(t *testing.T) {
	jpeg, other, words := file(event.MsgImage, "image/jpeg", 1234), file(event.MsgImage, "image/jpeg", 99), event.MessageEventContent{MsgType: event.MsgText, Body: "x"}
	sticker := file(event.CapMsgSticker, "image/webp", 1234)
	for name, test := range map[string]struct {
		content  event.MessageEventContent
		original *waE2E.Message
		want     error
	}{
		"original unknown": {jpeg, nil, portal.ErrNotEditable},
		"another file":     {other, &waE2E.Message{ImageMessage: image()}, portal.ErrNotEditable},
		"text to file":     {jpeg, text("x"), portal.ErrNotEditable},
		"file to text":     {words, &waE2E.Message{ImageMessage: image()}, portal.ErrNotEditable},
		"sticker":          {sticker, place(&waE2E.Message{StickerMessage: &waE2E.StickerMessage{}}), portal.ErrNotEditable},
		"location":         {event.MessageEventContent{MsgType: event.MsgLocation, GeoURI: "geo:1,2"}, text("x"), portal.ErrNotEditable},
		"to nothing":       {event.MessageEventContent{MsgType: event.MsgText}, text("x"), portal.ErrNoText},
	} {
		message, err := portal.EditToInterop(&test.content, "3EB0", chat, test.original, time.Now())
		var status bridgev2.MessageStatus
		if message != nil || !errors.Is(err, test.want) || !errors.As(err, &status) || status.Message == "" || !status.SendNotice {
			t.Errorf("%s: %v, %v", name, message, err)
		}
	}
}

func timerMessage(timer time.Duration) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type:                waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(),
		EphemeralExpiration: proto.Uint32(uint32(timer / time.Second)),
	}}
}

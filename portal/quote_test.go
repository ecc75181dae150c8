package portal_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

func TestLocationsAreSent(t *testing.T) {
	content := event.MessageEventContent{MsgType: event.MsgLocation, Body: "Location geo:1,2 as of now", GeoURI: "geo:52.5,-13.25,30;u=35"}
	message := matrixMessage(&content)
	message.Event = &event.Event{Content: event.Content{Raw: map[string]any{"org.matrix.msc3488.location": map[string]any{"description": "Our\nhouse"}}}}
	out, err := portal.ToInterop(message, nil)
	if err != nil {
		t.Fatal(err)
	}
	if location := out.Message.LocationMessage; location.GetDegreesLatitude() != 52.5 || location.GetDegreesLongitude() != -13.25 || location.GetName() != "Our house" || out.Attachment != nil {
		t.Errorf("location = %v", location)
	}
	if location := send(t, content, nil).Message.LocationMessage; location.Name != nil {
		t.Errorf("location = %v", location)
	}
}

func TestWhatGoesWithATextMakesItExtended(t *testing.T) {
	content := event.MessageEventContent{MsgType: event.MsgText, Body: "see https://example.org/", BeeperLinkPreviews: []*event.BeeperLinkPreview{
		{MatchedURL: "https://example.org/", LinkPreview: event.LinkPreview{Title: "Example", Description: "words"}},
	}}
	if text := send(t, content, nil).Message.ExtendedTextMessage; text.GetMatchedText() != "https://example.org/" || text.GetTitle() != "Example" || text.GetDescription() != "words" {
		t.Errorf("text = %v", text)
	}
	content.BeeperLinkPreviews[0].MatchedURL = "https://elsewhere.example/"
	if message := send(t, content, nil).Message; message.Conversation == nil {
		t.Errorf("preview of another link: %v", message)
	}
	quoted := portal.QuoteOf(&event.MessageEventContent{MsgType: event.MsgText, Body: "first"}, event.EventMessage)
	text := send(t, content, &portal.OutgoingContext{Timer: 7 * 24 * time.Hour, Self: jid("1-10853634039893@interop"), Quote: &portal.Quote{ID: "3EB0", Message: quoted}}).Message.ExtendedTextMessage
	info := text.GetContextInfo()
	if info.GetExpiration() != 604800 || info.GetStanzaID() != "3EB0" || info.GetParticipant() != "1-10853634039893@interop" || info.GetQuotedMessage().GetConversation() != "first" {
		t.Errorf("info = %v", info)
	}
	theirs := &portal.Quote{ID: "3EB0", Participant: jid("4915112345678:5@s.whatsapp.net")}
	picture := send(t, file(event.MsgImage, "image/jpeg", 9), &portal.OutgoingContext{Quote: theirs}).Message.ImageMessage.GetContextInfo()
	if picture.GetParticipant() != "4915112345678@s.whatsapp.net" || picture.GetQuotedMessage() == nil || picture.Expiration != nil {
		t.Errorf("info = %v", picture)
	}
}

func TestQuotesHoldNoFile(t *testing.T) {
	voice := bare(file(event.MsgAudio, "audio/mp4", 9))
	voice.MSC3245Voice = &event.MSC3245Voice{}
	for name, test := range map[string]struct {
		content event.MessageEventContent
		kind    event.Type
		want    string
	}{
		"text":     {event.MessageEventContent{MsgType: event.MsgText, Body: "x", Format: event.FormatHTML, FormattedBody: "<b>x</b>"}, event.EventMessage, "conversation"},
		"picture":  {file(event.MsgImage, "image/jpeg", 9), event.EventMessage, "imageMessage"},
		"voice":    {voice, event.EventMessage, "audioMessage"},
		"document": {file(event.MsgFile, "application/pdf", 9), event.EventMessage, "documentMessage"},
		"card":     {bare(file(event.MsgFile, "text/vcard", 9)), event.EventMessage, "contactMessage"},
		"sticker":  {file("", "image/webp", 9), event.EventSticker, "stickerMessage"},
		"location": {event.MessageEventContent{MsgType: event.MsgLocation, Body: "home", GeoURI: "geo:1,2"}, event.EventMessage, "locationMessage"},
		"unknown":  {event.MessageEventContent{MsgType: "org.example.dance", Body: "x"}, event.EventMessage, "conversation"},
	} {
		quoted := portal.QuoteOf(&test.content, test.kind)
		if portal.Kind(quoted) != test.want {
			t.Errorf("%s: quoted as %s", name, portal.Kind(quoted))
		}
		if data, err := proto.Marshal(quoted); err != nil || strings.Contains(string(data), "mxc://") {
			t.Errorf("%s: %v, %v", name, quoted, err)
		}
	}
	if quoted := portal.QuoteOf(nil, event.EventMessage); quoted.Conversation == nil {
		t.Errorf("nothing is quoted as %v", quoted)
	}
	long := event.MessageEventContent{MsgType: event.MsgText, Body: strings.Repeat("ä", 30_000)}
	if quoted := portal.QuoteOf(&long, event.EventMessage); len(quoted.GetConversation()) > 2000 {
		t.Errorf("%d bytes are quoted", len(quoted.GetConversation()))
	}
}

package portal_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

func TestHostileHTMLIsSentAsWords(t *testing.T) {
	for name, html := range map[string]string{
		"scripts":       `<script>steal()</script>hello<svg onload="steal()"></svg>`,
		"remote images": `hello<img src="https://evil.example/pixel.png">`,
		"styles":        `<style>@import "https://evil.example/"</style>hello`,
		"10,000 tags":   strings.Repeat("<b>", 10_000) + "hello" + strings.Repeat("</b>", 5_000),
		"10,000 lists":  strings.Repeat("<li>", 10_000) + "hello",
		"comments":      strings.Repeat("<!--", 5_000) + "-->hello",
	} {
		content := event.MessageEventContent{MsgType: event.MsgText, Body: "hello", Format: event.FormatHTML, FormattedBody: html}
		text := send(t, content, nil).Message.GetConversation()
		if !strings.Contains(text, "hello") || strings.Contains(text, "evil.example") || strings.Contains(text, "steal") {
			t.Errorf("%s: %.200q", name, text)
		}
		picture := file(event.MsgImage, "image/jpeg", 9)
		picture.Format, picture.FormattedBody = event.FormatHTML, html
		if caption := send(t, picture, nil).Message.ImageMessage.GetCaption(); strings.Contains(caption, "evil.example") || strings.Contains(caption, "steal") {
			t.Errorf("%s: caption %.200q", name, caption)
		}
	}
}

func TestForeignTextIsNeverHTML(t *testing.T) {
	const attack = `<script>steal()</script><img src="https://evil.example/pixel.png">`
	picture := image()
	picture.Caption = proto.String("*x* " + attack)
	contact := card(attack)
	for name, message := range map[string]*waE2E.Message{
		"text":     text("*x* " + attack),
		"caption":  {ImageMessage: picture},
		"contact":  {ContactMessage: contact},
		"location": {LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(1), DegreesLongitude: proto.Float64(1), Name: proto.String(attack)}},
		"quote":    answer("*x*", answering("", text(attack))),
	} {
		content := firstPart(t, message, "image/jpeg").Content
		if strings.Contains(content.FormattedBody, "<script") || strings.Contains(content.FormattedBody, "<img") {
			t.Errorf("%s: %s", name, content.FormattedBody)
		}
	}
}

// seeds are messages of every kind that has a converter.
func seeds(t testing.TB) [][]byte {
	picture := image()
	picture.Caption, picture.ContextInfo = proto.String("c"), answering("4915112345678@s.whatsapp.net", text("q"))
	var result [][]byte
	for _, message := range []*waE2E.Message{
		text("*hi*"), answer("x", answering("", text("q"))), protocol(waE2E.ProtocolMessage_MESSAGE_EDIT, text("y")),
		{EphemeralMessage: &waE2E.FutureProofMessage{Message: text("z")}}, {ImageMessage: picture},
		{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: picture}}},
		place(&waE2E.Message{VideoMessage: &waE2E.VideoMessage{GifPlayback: proto.Bool(true), Seconds: proto.Uint32(3)}}),
		place(&waE2E.Message{AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true), Waveform: []byte{1, 2, 3}}}),
		{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: place(&waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{FileName: proto.String("../a\u202e.pdf"), Caption: proto.String("c")}})}},
		place(&waE2E.Message{StickerMessage: &waE2E.StickerMessage{Mimetype: proto.String("image/webp")}}),
		{ContactMessage: card("Eve")}, {ContactsArrayMessage: &waE2E.ContactsArrayMessage{Contacts: []*waE2E.ContactMessage{card("Eve"), {}}}},
		{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(1), DegreesLongitude: proto.Float64(-2), Name: proto.String("n"), JPEGThumbnail: []byte("j")}},
		{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("https://example.org/"), MatchedText: proto.String("https://example.org/"), Title: proto.String("t")}},
		{ReactionMessage: &waE2E.ReactionMessage{Text: proto.String("👍")}}, {SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}},
		{PollCreationMessage: &waE2E.PollCreationMessage{Name: proto.String("p")}},
	} {
		data, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		result = append(result, data)
	}
	return result
}

func FuzzToMatrix(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data, "image/jpeg", true)
		f.Add(data, "", false)
	}
	f.Fuzz(func(t *testing.T, data []byte, sniffed string, stored bool) {
		message := &waE2E.Message{}
		if len(data) > 64<<10 || proto.Unmarshal(data, message) != nil { // the client takes no larger ones
			return
		}
		files, _ := portal.Files(message)
		context := &portal.Context{}
		for range files {
			if stored {
				context.Files = append(context.Files, onServer(sniffed))
			}
		}
		converted, err := portal.ToMatrix(message, context)
		if err != nil {
			if !errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) || converted != nil {
				t.Errorf("ToMatrix = %+v, %v", converted, err)
			}
			return
		}
		if len(converted.Parts) == 0 {
			t.Fatal("no parts")
		}
		checkParts(t, converted.Parts)
		checkParts(t, portal.Unfetched(message, "Gone.", "!postern").Parts)
		portal.Kind(message)
		if ids := portal.ReplyIDs(message, "whatsapp-4915112345678"); len(ids) != 0 && len(ids) != 2 {
			t.Errorf("reply ids %q", ids)
		}
	})
}

// checkParts holds what is true of everything that goes into a room.
func checkParts(t *testing.T, parts []*bridgev2.ConvertedMessagePart) {
	t.Helper()
	last := ""
	for i, part := range parts {
		content := part.Content
		if !utf8.ValidString(content.Body) || content.Body == "" || content.Mentions == nil || len(content.Mentions.UserIDs) > 0 || content.Mentions.Room {
			t.Errorf("content = %+v", content)
		}
		if (content.File != nil) != content.MsgType.IsMedia() && part.Type != event.EventSticker || content.URL != "" {
			t.Errorf("%s with file %v", content.MsgType, content.File)
		}
		if i > 0 && string(part.ID) <= last {
			t.Errorf("part ids %q and %q do not sort", last, part.ID)
		}
		last = string(part.ID)
		whole := &event.Content{Parsed: content, Raw: part.Extra}
		if encoded, err := json.Marshal(whole); err != nil || len(encoded) > largestContent {
			t.Errorf("%d bytes, %v", len(encoded), err)
		}
	}
}

func FuzzToInterop(f *testing.F) {
	voice := bare(file(event.MsgAudio, "audio/ogg", 9))
	voice.MSC3245Voice, voice.MSC1767Audio = &event.MSC3245Voice{}, &event.MSC1767Audio{Duration: 3100, Waveform: []int{0, 1024}}
	for _, content := range []event.MessageEventContent{
		file(event.MsgImage, "image/jpeg", 9), file(event.MsgImage, "image/gif", 9), file(event.MsgVideo, "video/mp4", 9), voice, file(event.MsgFile, "application/pdf", 9),
		bare(file(event.MsgFile, "text/vcard", 9)), file(event.CapMsgSticker, "image/png", 9), {MsgType: event.MsgLocation, Body: "x", GeoURI: "geo:1,2"},
		{MsgType: event.MsgText, Body: "*x* https://example.org/", BeeperLinkPreviews: []*event.BeeperLinkPreview{{MatchedURL: "https://example.org/", LinkPreview: event.LinkPreview{Title: "t"}}}},
		{MsgType: event.MsgEmote, Body: "waves", Format: event.FormatHTML, FormattedBody: "<b>waves</b>"},
	} {
		data, err := json.Marshal(&content)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, int64(0))
		f.Add(data, int64(86400e9))
	}
	f.Fuzz(func(t *testing.T, data []byte, timer int64) {
		content := &event.MessageEventContent{}
		if len(data) > 64<<10 || json.Unmarshal(data, content) != nil {
			return
		}
		quoted := portal.QuoteOf(content, event.EventMessage)
		context := &portal.OutgoingContext{Timer: 0, Quote: &portal.Quote{ID: "3EB0", Message: quoted}}
		if timer > 0 {
			context = &portal.OutgoingContext{}
		}
		out, err := portal.ToInterop(matrixMessage(content), context)
		if err != nil {
			var status bridgev2.MessageStatus
			if !errors.As(err, &status) || status.Message == "" || out != nil {
				t.Errorf("ToInterop = %+v, %v", out, err)
			}
			return
		}
		encoded, err := proto.Marshal(out.Message)
		if err != nil || len(encoded) == 0 || strings.Contains(string(encoded), "mxc://") && !strings.Contains(content.Body+content.FormattedBody+content.FileName+content.GeoURI, "mxc://") {
			t.Errorf("message of %d bytes, %v", len(encoded), err)
		}
		if attachment := out.Attachment; attachment != nil {
			if attachment.File == nil || attachment.Size < 0 || attachment.MimeType == "" || attachment.Name == "" || attachment.Kind == "" {
				t.Errorf("attachment = %+v", attachment)
			}
		}
		stored, err := out.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := portal.ParseOutgoing(stored); err != nil || !proto.Equal(again.Message, out.Message) {
			t.Errorf("stored and read: %+v, %v", again, err)
		}
	})
}

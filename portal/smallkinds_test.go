package portal_test

import (
	"math"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

func TestContactCards(t *testing.T) {
	content := firstPart(t, &waE2E.Message{ContactMessage: card("Eve / ../Mallory\u202e")}, "").Content
	if content.MsgType != event.MsgFile || content.FileName != "Mallory.vcf" || content.Info.MimeType != "text/vcard" || !strings.HasPrefix(content.Body, "Contact: Eve") {
		t.Errorf("content = %+v", content)
	}
	var contacts []*waE2E.ContactMessage
	for range 70 {
		contacts = append(contacts, card(""))
	}
	message := &waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{Contacts: contacts}}
	converted := convertMessage(t, message, &portal.Context{Files: []*portal.Stored{onServer(""), nil}})
	if len(converted.Parts) != 65 || !strings.Contains(converted.Parts[64].Content.Body, "6 more") || converted.Parts[0].Content.File == nil {
		t.Errorf("%d parts, last %q", len(converted.Parts), converted.Parts[len(converted.Parts)-1].Content.Body)
	}
	if body := converted.Parts[1].Content.Body; converted.Parts[1].ID != "001" || !strings.Contains(body, "without a name") || !strings.Contains(body, "could not be stored") {
		t.Errorf("part without a file: %q", body)
	}
}

func TestLocations(t *testing.T) {
	at := func(latitude, longitude float64) *waE2E.LocationMessage {
		return &waE2E.LocationMessage{DegreesLatitude: &latitude, DegreesLongitude: &longitude, Name: proto.String("Station\nsecond"), Address: proto.String("Main Street 1"), JPEGThumbnail: []byte("j")}
	}
	part := firstPart(t, &waE2E.Message{LocationMessage: at(52.5250841, -13.3694)}, "image/jpeg")
	content := part.Content
	if content.MsgType != event.MsgLocation || content.GeoURI != "geo:52.525084,-13.3694" || content.Body != "Station second\nMain Street 1\n52.525084, -13.3694" || content.Info.ThumbnailFile == nil {
		t.Errorf("content = %+v", content)
	}
	if strings.Contains(content.Body, "http") || part.Extra["org.matrix.msc3488.location"] == nil {
		t.Errorf("body %q, extra %v", content.Body, part.Extra)
	}
	if got := firstPart(t, &waE2E.Message{LocationMessage: at(-0.00000001, 0)}, "").Content.GeoURI; got != "geo:0,0" {
		t.Errorf("geo URI %q", got)
	}
	for _, bad := range [][2]float64{{math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}, {90.1, 0}, {0, -181}} {
		content := onlyPart(t, &waE2E.Message{LocationMessage: at(bad[0], bad[1])})
		if content.MsgType != event.MsgNotice || !strings.Contains(content.Body, "Station") || content.GeoURI != "" {
			t.Errorf("%v: content = %+v", bad, content)
		}
	}
	live := at(1, 2)
	live.IsLive = proto.Bool(true)
	if content := onlyPart(t, &waE2E.Message{LocationMessage: live}); content.MsgType != event.MsgNotice || !strings.Contains(content.Body, "a live location") {
		t.Errorf("content = %+v", content)
	}
}

func TestLinkPreviews(t *testing.T) {
	link := func(text, matched string) *waE2E.Message {
		return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String(text), MatchedText: proto.String(matched), Title: proto.String("Tit\u202ele\x00"), Description: proto.String(strings.Repeat("d", 5000)), JPEGThumbnail: []byte("j"),
		}}
	}
	content := firstPart(t, link("see https://example.org/a", "https://example.org/a"), "image/jpeg").Content
	if len(content.BeeperLinkPreviews) != 1 || content.Body != "see https://example.org/a" {
		t.Fatalf("content = %+v", content)
	}
	if preview := content.BeeperLinkPreviews[0]; preview.MatchedURL != "https://example.org/a" || len(preview.Description) != 500 || preview.ImageEncryption == nil || preview.ImageURL != "" || strings.Contains(preview.Title, "\x00") {
		t.Errorf("preview = %+v", preview)
	}
	for _, bad := range []*waE2E.Message{
		link("see", "https://example.org/"), link("javascript:alert(1)", "javascript:alert(1)"), link("file:///etc/passwd", "file:///etc/passwd"), link("https:", "https:"), link("x", ""),
		link("https://example.org/"+strings.Repeat("a", 2000), "https://example.org/"+strings.Repeat("a", 2000)),
	} {
		if content := firstPart(t, bad, "").Content; content.BeeperLinkPreviews != nil {
			t.Errorf("%.60q: %+v", content.Body, content.BeeperLinkPreviews[0])
		}
	}
}

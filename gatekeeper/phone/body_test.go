package phone_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"postern/gatekeeper/phone"
)

func TestEveryKindOfMessageIsShown(t *testing.T) {
	for line, message := range map[string]*waE2E.Message{
		"two lines":                    words("two\n  lines"),
		"an answer":                    {ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("an answer")}},
		"Picture: look":                {ImageMessage: &waE2E.ImageMessage{Caption: proto.String("look")}},
		"Sticker":                      {StickerMessage: &waE2E.StickerMessage{}},
		"Video":                        {PtvMessage: &waE2E.VideoMessage{}},
		"Voice message":                {AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true)}},
		"Audio":                        {AudioMessage: &waE2E.AudioMessage{}},
		"Document: plan.pdf":           {DocumentMessage: &waE2E.DocumentMessage{FileName: proto.String("plan.pdf"), Caption: proto.String("the plan")}},
		"Location: the gate":           {LocationMessage: &waE2E.LocationMessage{Name: proto.String("the gate")}},
		"Contact: Carol":               {ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("Carol")}},
		phone.KindOther.Word():         {PollCreationMessage: &waE2E.PollCreationMessage{}},
		"Document: \"a\" .exe":         {DocumentMessage: &waE2E.DocumentMessage{FileName: proto.String("\u202E\"a\"\n.exe")}},
		strings.Repeat("y", 200) + "…": words(strings.Repeat("y", 100_000)),
	} {
		if _, _, _, got := phone.BodyOf(message); got != line {
			t.Errorf("got %.300q, want %q", got, line)
		}
	}
}

// FuzzBody reads any message: what is shown is bounded and valid.
func FuzzBody(f *testing.F) {
	for _, message := range []*waE2E.Message{
		words("hello"), words(strings.Repeat("é", 20_000)), {DocumentMessage: &waE2E.DocumentMessage{FileName: proto.String("\xff")}},
		{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(1e308)}},
		{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: words("inside")}},
	} {
		encoded, _ := proto.Marshal(message)
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var message waE2E.Message
		if proto.Unmarshal(encoded, &message) != nil {
			return
		}
		_, text, label, line := phone.BodyOf(&message)
		for what, limit := range map[string]int{text: phone.MaxText + 3, label: 1000, line: 1300} {
			if len(what) > limit || !utf8.ValidString(what) {
				t.Errorf("%d bytes: %.100q", len(what), what)
			}
		}
		if strings.ContainsAny(line, "\n\r") {
			t.Errorf("%q is more than one line", line)
		}
	})
}

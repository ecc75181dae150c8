package portal_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/interop"
	"postern/portal"
)

// onServer is a file as the homeserver has it. mimeType is what its bytes look like.
func onServer(mimeType string) *portal.Stored {
	return &portal.Stored{
		File: encryptedFile(), Size: 1234, MimeType: mimeType, Width: 640, Height: 480, Blurhash: "LEHV6nWB2yk8",
		Thumbnail: &portal.Stored{File: encryptedFile(), Size: 99, MimeType: "image/jpeg", Width: 64, Height: 48},
	}
}

func encryptedFile() *event.EncryptedFileInfo {
	file := &event.EncryptedFileInfo{URL: "mxc://example.org/file"}
	file.Version, file.InitVector, file.Key.Key = "v2", "aXY", "a2V5"
	return file
}

// place fills in where a file is.
func place(message *waE2E.Message) *waE2E.Message {
	media := &interop.Media{DirectPath: "/v/t62/file", Key: [32]byte{1}, SHA256: [32]byte{2}, EncSHA256: [32]byte{3}, Length: 1234}
	if !media.SetIn(message) {
		panic("no file in the message")
	}
	return message
}

func image() *waE2E.ImageMessage {
	return place(&waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		Mimetype: proto.String("image/jpeg"), Width: proto.Uint32(100), Height: proto.Uint32(50), JPEGThumbnail: []byte("jpeg"),
	}}).ImageMessage
}

func card(name string) *waE2E.ContactMessage {
	return &waE2E.ContactMessage{DisplayName: proto.String(name), Vcard: proto.String("BEGIN:VCARD\nVERSION:3.0\nFN:" + name + "\nEND:VCARD\n")}
}

// firstPart converts a message whose files are all on the server.
func firstPart(t *testing.T, message *waE2E.Message, mimeType string) *bridgev2.ConvertedMessagePart {
	t.Helper()
	files, err := portal.Files(message)
	if err != nil {
		t.Fatal(err)
	}
	context := &portal.Context{}
	for range files {
		context.Files = append(context.Files, onServer(mimeType))
	}
	return convertMessage(t, message, context).Parts[0]
}

func TestFilesAreListed(t *testing.T) {
	link := &waE2E.ExtendedTextMessage{Text: proto.String("see https://example.org/"), MatchedText: proto.String("https://example.org/"), Title: proto.String("x"), JPEGThumbnail: []byte("j")}
	foreign := proto.CloneOf(link)
	foreign.MatchedText = proto.String("https://elsewhere.example/")
	many := &waE2E.ContactsArrayMessage{}
	for range 10_000 {
		many.Contacts = append(many.Contacts, card("Eve"))
	}
	for name, test := range map[string]struct {
		message *waE2E.Message
		want    int
		kind    interop.MediaKind
	}{
		"text":             {text("hi"), 0, ""},
		"picture":          {&waE2E.Message{ImageMessage: image()}, 1, interop.MediaImage},
		"disappearing":     {&waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: image()}}}, 1, interop.MediaImage},
		"video":            {place(&waE2E.Message{VideoMessage: &waE2E.VideoMessage{}}), 1, interop.MediaVideo},
		"round video":      {place(&waE2E.Message{PtvMessage: &waE2E.VideoMessage{}}), 1, interop.MediaVideo},
		"voice":            {place(&waE2E.Message{AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true)}}), 1, interop.MediaAudio},
		"document":         {&waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: place(&waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{}})}}, 1, interop.MediaDocument},
		"sticker":          {place(&waE2E.Message{StickerMessage: &waE2E.StickerMessage{}}), 1, interop.MediaImage},
		"view once":        {&waE2E.Message{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: image()}}}, 0, ""},
		"card":             {&waE2E.Message{ContactMessage: card("Eve")}, 1, ""},
		"empty card":       {&waE2E.Message{ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("Eve")}}, 0, ""},
		"huge card":        {&waE2E.Message{ContactMessage: &waE2E.ContactMessage{Vcard: proto.String(strings.Repeat("x", 257<<10))}}, 0, ""},
		"10,000 cards":     {&waE2E.Message{ContactsArrayMessage: many}, 64, ""},
		"link":             {&waE2E.Message{ExtendedTextMessage: link}, 1, ""},
		"link not in text": {&waE2E.Message{ExtendedTextMessage: foreign}, 0, ""},
		"location":         {&waE2E.Message{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(1), DegreesLongitude: proto.Float64(2), JPEGThumbnail: []byte("j")}}, 1, ""},
		"huge map":         {&waE2E.Message{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(1), DegreesLongitude: proto.Float64(2), JPEGThumbnail: make([]byte, 65<<10)}}, 0, ""},
		"live location":    {&waE2E.Message{LiveLocationMessage: &waE2E.LiveLocationMessage{JPEGThumbnail: []byte("j")}}, 0, ""},
		"poll":             {&waE2E.Message{PollCreationMessage: &waE2E.PollCreationMessage{}}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := portal.Files(test.message)
			if err != nil || len(files) != test.want {
				t.Fatalf("Files = %d, %v, want %d", len(files), err, test.want)
			}
			for _, file := range files {
				if file.Media != nil && file.Data != nil || file.Media == nil && file.Data == nil && file.Thumbnail == nil || test.kind != "" && file.Media.Kind != test.kind {
					t.Errorf("file = %+v", file)
				}
			}
		})
	}
	broken := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}
	if files, err := portal.Files(broken); err == nil || files != nil {
		t.Errorf("a picture that is nowhere: %v, %v", files, err)
	}
}

func TestMediaIsShownAsWhatItIs(t *testing.T) {
	for name, test := range map[string]struct {
		message   *waE2E.Message
		sniffed   string
		eventType event.Type
		msgType   event.MessageType
		mimeType  string
		fileName  string
	}{
		"picture":               {&waE2E.Message{ImageMessage: image()}, "image/png", event.EventMessage, event.MsgImage, "image/png", "image.jpg"},
		"picture, not sniffed":  {&waE2E.Message{ImageMessage: image()}, "", event.EventMessage, event.MsgImage, "image/jpeg", "image.jpg"},
		"page as a picture":     {&waE2E.Message{ImageMessage: image()}, "text/html; charset=utf-8", event.EventMessage, event.MsgFile, "text/html", "image.jpg"},
		"program as a picture":  {&waE2E.Message{ImageMessage: image()}, "image/svg+xml", event.EventMessage, event.MsgFile, "image/svg+xml", "image.jpg"},
		"video":                 {place(&waE2E.Message{VideoMessage: &waE2E.VideoMessage{Mimetype: proto.String("video/mp4")}}), "video/mp4", event.EventMessage, event.MsgVideo, "video/mp4", "video.mp4"},
		"page as a video":       {place(&waE2E.Message{PtvMessage: &waE2E.VideoMessage{}}), "text/html", event.EventMessage, event.MsgFile, "text/html", "file"},
		"audio":                 {place(&waE2E.Message{AudioMessage: &waE2E.AudioMessage{Mimetype: proto.String("audio/mpeg")}}), "", event.EventMessage, event.MsgAudio, "audio/mpeg", "audio.mp3"},
		"voice":                 {place(&waE2E.Message{AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true), Mimetype: proto.String("audio/ogg; codecs=opus")}}), "application/ogg", event.EventMessage, event.MsgAudio, "audio/ogg", "voice.ogg"},
		"sticker":               {place(&waE2E.Message{StickerMessage: &waE2E.StickerMessage{Mimetype: proto.String("image/webp")}}), "image/webp", event.EventSticker, "", "image/webp", "sticker.webp"},
		"document":              {place(&waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{FileName: proto.String("a.docx"), Mimetype: proto.String("application/x-word")}}), "application/zip", event.EventMessage, event.MsgFile, "application/x-word", "a.docx"},
		"document, broken type": {place(&waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{FileName: proto.String("a"), Mimetype: proto.String("<b>")}}), "", event.EventMessage, event.MsgFile, "application/octet-stream", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			part := firstPart(t, test.message, test.sniffed)
			content := part.Content
			if part.Type != test.eventType || content.MsgType != test.msgType || content.Info.MimeType != test.mimeType || content.FileName != test.fileName {
				t.Errorf("%s %q, type %q, name %q", part.Type.Type, content.MsgType, content.Info.MimeType, content.FileName)
			}
			if content.Body != test.fileName || content.File == nil || content.URL != "" || content.Info.Size != 1234 || content.Info.Width != 640 ||
				content.Info.ThumbnailFile == nil || content.Info.ThumbnailInfo.Width != 64 || content.Info.AnoaBlurhash == "" {
				t.Errorf("content = %+v, info = %+v", content, content.Info)
			}
			if !part.DBMetadata.(*portal.MessageMetadata).Media {
				t.Error("the part is not noted as a file")
			}
		})
	}
}

func TestClaimedSizesAreBounded(t *testing.T) {
	message := place(&waE2E.Message{VideoMessage: &waE2E.VideoMessage{
		Width: proto.Uint32(math.MaxUint32), Height: proto.Uint32(7), Seconds: proto.Uint32(math.MaxUint32), GifPlayback: proto.Bool(true), Mimetype: proto.String("video/mp4"),
	}})
	file := onServer("video/mp4")
	file.Width, file.Height = 0, 0
	info := convertMessage(t, message, &portal.Context{Files: []*portal.Stored{file}}).Parts[0].Content.Info
	if info.Width != 0 || info.Height != 0 || info.Duration != 24*60*60*1000 {
		t.Errorf("info = %+v", info)
	}
	if data, err := json.Marshal(info); err != nil || !bytes.Contains(data, []byte(`"fi.mau.gif":true`)) || !bytes.Contains(data, []byte(`"fi.mau.loop":true`)) {
		t.Errorf("info = %s, %v", data, err)
	}
}

func TestVoiceHasItsWaveform(t *testing.T) {
	for name, test := range map[string]struct {
		samples []byte
		length  int
		loudest int
	}{
		"64":      {bytes.Repeat([]byte{0, 50, 100, 255}, 16), 64, 1024},
		"none":    {nil, 0, 0},
		"short":   {[]byte{100}, 1, 1024},
		"endless": {make([]byte, 100_000), 256, 0},
	} {
		message := place(&waE2E.Message{AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true), Seconds: proto.Uint32(3), Waveform: test.samples}})
		content := firstPart(t, message, "audio/ogg").Content
		if content.MSC3245Voice == nil || content.MSC1767Audio.Duration != 3000 || len(content.MSC1767Audio.Waveform) != test.length {
			t.Fatalf("%s: %+v", name, content.MSC1767Audio)
		}
		loudest := 0
		for _, sample := range content.MSC1767Audio.Waveform {
			loudest = max(loudest, sample)
		}
		if loudest != test.loudest {
			t.Errorf("%s: loudest sample %d, want %d", name, loudest, test.loudest)
		}
	}
}

func TestCaptions(t *testing.T) {
	message := image()
	message.Caption = proto.String("*our* house")
	content := firstPart(t, &waE2E.Message{ImageMessage: message}, "image/jpeg").Content
	if content.Body != "*our* house" || content.FormattedBody != "<strong>our</strong> house" || content.FileName != "image.jpg" {
		t.Errorf("content = %+v", content)
	}
	long := strings.Repeat("word ", 13_000)
	message.Caption = &long
	converted := convertMessage(t, &waE2E.Message{ImageMessage: message}, &portal.Context{Files: []*portal.Stored{onServer("image/jpeg")}})
	if len(converted.Parts) < 3 || converted.Parts[0].Content.Body != "image.jpg" || converted.Parts[1].ID != "001" || converted.Parts[1].Content.MsgType != event.MsgText {
		t.Fatalf("%d parts, first %.50q", len(converted.Parts), converted.Parts[0].Content.Body)
	}
	whole := ""
	for _, part := range converted.Parts[1:] {
		whole += part.Content.Body + " "
	}
	if strings.Join(strings.Fields(whole), " ") != strings.TrimSpace(long) {
		t.Error("the caption is not whole")
	}
}

func TestViewOnceShowsNothingOfItself(t *testing.T) {
	secret := image()
	secret.Caption = proto.String("secret")
	flagged := proto.CloneOf(secret)
	flagged.ViewOnce = proto.Bool(true)
	wrap := func(message *waE2E.Message) *waE2E.FutureProofMessage {
		return &waE2E.FutureProofMessage{Message: message}
	}
	for name, message := range map[string]*waE2E.Message{
		"first":    {ViewOnceMessage: wrap(&waE2E.Message{ImageMessage: secret})},
		"second":   {ViewOnceMessageV2: wrap(&waE2E.Message{ImageMessage: secret})},
		"third":    {ViewOnceMessageV2Extension: wrap(&waE2E.Message{ImageMessage: secret})},
		"inside":   {EphemeralMessage: wrap(&waE2E.Message{ViewOnceMessageV2: wrap(&waE2E.Message{ImageMessage: secret})})},
		"by flag":  {ImageMessage: flagged},
		"flag too": {EphemeralMessage: wrap(&waE2E.Message{ImageMessage: flagged})},
	} {
		content := onlyPart(t, message)
		if content.MsgType != event.MsgNotice || content.Body != "Sent a picture that can be viewed once, which cannot be shown here." {
			t.Errorf("%s: content = %+v", name, content)
		}
	}
}

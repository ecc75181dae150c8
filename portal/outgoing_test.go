package portal_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/interop"
	"postern/portal"
)

// file is what a client sends as a file.
func file(msgType event.MessageType, mimeType string, size int) event.MessageEventContent {
	return event.MessageEventContent{
		MsgType: msgType, Body: "the *body*", FileName: "name.bin", File: encryptedFile(),
		Info: &event.FileInfo{MimeType: mimeType, Size: size, Width: 640, Height: 480, Duration: 2500, ThumbnailFile: encryptedFile()},
	}
}

func bare(content event.MessageEventContent) event.MessageEventContent {
	content.Body = content.FileName
	return content
}

func send(t *testing.T, content event.MessageEventContent, context *portal.OutgoingContext) *portal.Outgoing {
	t.Helper()
	out, err := portal.ToInterop(matrixMessage(&content), context)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fileKind names the field that a message's file is in.
func fileKind(message *waE2E.Message) string { return portal.Kind(message) }

func TestFilesAreSentAsWhatWhatsAppShows(t *testing.T) {
	const mib = 1 << 20
	voice := bare(file(event.MsgAudio, "audio/mp4", 9))
	voice.MSC3245Voice, voice.MSC1767Audio = &event.MSC3245Voice{}, &event.MSC1767Audio{Duration: 3100, Waveform: []int{0, 1024, 5000, -1}}
	oggVoice, saidVoice := voice, voice
	oggVoice.Info = &event.FileInfo{MimeType: "audio/ogg; codecs=opus", Size: 9}
	saidVoice.Body = "listen"
	gifVideo, webmGIF := file(event.MsgVideo, "video/mp4", 9), file(event.MsgVideo, "video/webm", 9)
	gifVideo.Info.MauGIF, webmGIF.Info.MauGIF = true, true
	vcard := bare(file(event.MsgFile, "text/x-vcard", 900))
	named := bare(file(event.MsgFile, "", 900))
	named.Body, named.FileName = "Eve.VCF", "Eve.VCF"
	forwarded := file(event.MsgFile, "text/vcard", 900)
	forwarded.Body = "Contact: Eve"
	for name, test := range map[string]struct {
		content event.MessageEventContent
		field   string
		kind    interop.MediaKind
		convert portal.Conversion
	}{
		"jpeg":              {file(event.MsgImage, "image/jpeg", 9), "imageMessage", interop.MediaImage, ""},
		"png":               {bare(file(event.MsgImage, "IMAGE/PNG", 9)), "imageMessage", interop.MediaImage, ""},
		"svg":               {file(event.MsgImage, "image/svg+xml", 9), "documentMessage", interop.MediaDocument, ""},
		"heic":              {file(event.MsgImage, "image/heic", 9), "documentMessage", interop.MediaDocument, ""},
		"untyped picture":   {file(event.MsgImage, "", 9), "documentMessage", interop.MediaDocument, ""},
		"large jpeg":        {file(event.MsgImage, "image/jpeg", 17*mib), "documentMessage", interop.MediaDocument, ""},
		"gif":               {file(event.MsgImage, "image/gif", 9), "videoMessage", interop.MediaVideo, portal.ConvertGIF},
		"gif as mp4":        {gifVideo, "videoMessage", interop.MediaVideo, ""},
		"gif as webm":       {webmGIF, "videoMessage", interop.MediaVideo, portal.ConvertGIF},
		"mp4":               {file(event.MsgVideo, "video/mp4", 9), "videoMessage", interop.MediaVideo, ""},
		"webm":              {file(event.MsgVideo, "video/webm", 9), "documentMessage", interop.MediaDocument, ""},
		"large mp4":         {file(event.MsgVideo, "video/mp4", 65*mib), "documentMessage", interop.MediaDocument, ""},
		"mp3":               {bare(file(event.MsgAudio, "audio/mpeg", 9)), "audioMessage", interop.MediaAudio, ""},
		"mp3 with words":    {file(event.MsgAudio, "audio/mpeg", 9), "documentMessage", interop.MediaDocument, ""},
		"flac":              {bare(file(event.MsgAudio, "audio/flac", 9)), "documentMessage", interop.MediaDocument, ""},
		"voice":             {voice, "audioMessage", interop.MediaAudio, portal.ConvertVoice},
		"voice in ogg":      {oggVoice, "audioMessage", interop.MediaAudio, ""},
		"voice with words":  {saidVoice, "documentMessage", interop.MediaDocument, ""},
		"file":              {file(event.MsgFile, "application/pdf", 9), "documentMessage", interop.MediaDocument, ""},
		"picture as a file": {file(event.MsgFile, "image/jpeg", 9), "documentMessage", interop.MediaDocument, ""},
		"sticker":           {file(event.CapMsgSticker, "image/png", 9), "stickerMessage", interop.MediaImage, portal.ConvertSticker},
		"webp sticker":      {file(event.CapMsgSticker, "image/webp", 9), "stickerMessage", interop.MediaImage, ""},
		"card":              {vcard, "contactMessage", interop.MediaDocument, ""},
		"card by name":      {named, "contactMessage", interop.MediaDocument, ""},
		"forwarded card":    {forwarded, "contactMessage", interop.MediaDocument, ""},
		"large card":        {bare(file(event.MsgFile, "text/vcard", 33<<10)), "documentMessage", interop.MediaDocument, ""},
		"card with words":   {file(event.MsgFile, "text/vcard", 900), "documentMessage", interop.MediaDocument, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := send(t, test.content, nil)
			attachment := out.Attachment
			if fileKind(out.Message) != test.field || attachment.Kind != test.kind || attachment.Convert != test.convert || attachment.File == nil {
				t.Fatalf("%s, attachment %+v", fileKind(out.Message), attachment)
			}
			if attachment.VCard != (test.field == "contactMessage") || attachment.Size != int64(test.content.Info.Size) || attachment.MimeType == "" {
				t.Errorf("attachment = %+v", attachment)
			}
			data, err := out.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			again, err := portal.ParseOutgoing(data)
			if err != nil || !proto.Equal(again.Message, out.Message) || again.Attachment.File.URL != attachment.File.URL || again.Attachment.File.Key.Key != attachment.File.Key.Key {
				t.Errorf("stored and read: %+v, %v", again, err)
			}
		})
	}
}

func TestMessagesDescribeTheirFile(t *testing.T) {
	picture := send(t, file(event.MsgImage, "image/jpeg", 9), nil).Message.ImageMessage
	if picture.GetCaption() != "the *\u200abody*" || picture.GetWidth() != 640 || picture.GetHeight() != 480 || picture.GetMimetype() != "image/jpeg" {
		t.Errorf("picture = %v", picture)
	}
	document := send(t, file(event.MsgFile, "application/pdf", 9), nil).Message.GetDocumentWithCaptionMessage().GetMessage().GetDocumentMessage()
	if document.GetFileName() != "name.bin" || document.GetTitle() != "name.bin" || document.GetCaption() == "" {
		t.Errorf("document = %v", document)
	}
	if plain := send(t, bare(file(event.MsgFile, "application/pdf", 9)), nil).Message; plain.DocumentMessage == nil || plain.DocumentMessage.Caption != nil {
		t.Errorf("document without a caption = %v", plain)
	}
	voice := bare(file(event.MsgAudio, "audio/ogg", 9))
	voice.MSC3245Voice, voice.MSC1767Audio = &event.MSC3245Voice{}, &event.MSC1767Audio{Duration: 3100, Waveform: []int{0, 1024, 5000, -1}}
	audio := send(t, voice, nil).Message.AudioMessage
	if !audio.GetPTT() || audio.GetSeconds() != 4 || audio.GetMimetype() != "audio/ogg; codecs=opus" || len(audio.GetWaveform()) != 64 ||
		audio.GetWaveform()[0] != 0 || audio.GetWaveform()[16] != 100 || audio.GetWaveform()[32] != 100 || audio.GetWaveform()[63] != 0 {
		t.Errorf("voice = %v", audio)
	}
}

func TestCompletePutsTheFileIn(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	gif, sticker, voice := file(event.MsgImage, "image/gif", 9), file(event.CapMsgSticker, "image/png", 9), bare(file(event.MsgAudio, "audio/mp4", 9))
	voice.MSC3245Voice = &event.MSC3245Voice{}
	webm := file(event.MsgVideo, "video/webm", 9)
	webm.Info.MauGIF = true
	for name, test := range map[string]struct {
		content   event.MessageEventContent
		converted bool
		field     string
		mimeType  string
	}{
		"picture":             {file(event.MsgImage, "image/jpeg", 9), false, "imageMessage", "image/png"},
		"document":            {file(event.MsgFile, "application/pdf", 9), false, "documentMessage", "application/pdf"},
		"gif":                 {gif, true, "videoMessage", "video/mp4"},
		"gif, unconverted":    {gif, false, "imageMessage", "image/png"},
		"webm, unconverted":   {webm, false, "documentMessage", "video/webm"},
		"sticker":             {sticker, true, "stickerMessage", "image/webp"},
		"sticker, as it is":   {sticker, false, "imageMessage", "image/png"},
		"voice":               {voice, true, "audioMessage", "audio/ogg; codecs=opus"},
		"voice, as it is":     {voice, false, "audioMessage", "image/png"},
		"mp3":                 {bare(file(event.MsgAudio, "audio/mpeg", 9)), false, "audioMessage", "image/png"},
		"caption of a webm":   {webm, false, "documentMessage", "video/webm"},
		"video, not animated": {file(event.MsgVideo, "video/mp4", 9), false, "videoMessage", "image/png"},
	} {
		t.Run(name, func(t *testing.T) {
			out := send(t, test.content, &portal.OutgoingContext{Timer: 24 * time.Hour})
			before := proto.CloneOf(out.Message)
			media := &interop.Media{Kind: out.Attachment.MediaKind(test.converted), DirectPath: "/d/1/x/", Key: [32]byte{1}, Length: 77}
			sent := &portal.SentFile{Media: media, MimeType: "image/png", Width: 10, Height: 20, Seconds: 7, Thumbnail: []byte("jpeg"), Converted: test.converted}
			message, err := out.Complete(sent, at)
			if err != nil || fileKind(message) != test.field {
				t.Fatalf("Complete = %v, %v", message, err)
			}
			if !proto.Equal(out.Message, before) {
				t.Error("the stored message was changed")
			}
			inner := message
			if wrapper := message.GetDocumentWithCaptionMessage(); wrapper != nil {
				inner = wrapper.GetMessage()
			} else if message.DocumentMessage != nil && test.content.Body != test.content.FileName {
				t.Error("a document with a caption is not wrapped")
			}
			got, err := interop.MediaIn(inner)
			if err != nil || got.DirectPath != media.DirectPath || got.Key != media.Key || got.Length != 77 || got.Kind != media.Kind {
				t.Errorf("MediaIn = %+v, %v", got, err)
			}
			text := message.String()
			if !strings.Contains(text, test.mimeType) || !strings.Contains(strings.ReplaceAll(text, " ", ""), "mediaKeyTimestamp:1700000000") || !strings.Contains(text, "expiration") {
				t.Errorf("message = %s", text)
			}
			if audio := message.AudioMessage; audio != nil && (audio.GetPTT() != test.converted || audio.GetSeconds() != 7) {
				t.Errorf("audio = %v", audio)
			}
			wrong := *media
			wrong.Kind = "other"
			sent.Media = &wrong
			if _, err = out.Complete(sent, at); !errors.Is(err, portal.ErrIncomplete) {
				t.Errorf("file of another kind: %v", err)
			}
		})
	}
}

func TestContactCardsAreSentInTheMessage(t *testing.T) {
	out := send(t, bare(file(event.MsgFile, "text/vcard", 900)), &portal.OutgoingContext{Timer: time.Hour})
	one, two := "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Eve \\, Mallory\r\nEND:VCARD\r\n", "BEGIN:VCARD\nVERSION:3.0\nFN:Bob\nEND:VCARD\n"
	for name, test := range map[string]struct {
		data  string
		names []string
	}{
		"one":     {one, []string{"Eve , Mallory"}},
		"two":     {one + two, []string{"Eve , Mallory", "Bob"}},
		"rubbish": {"\xff\xfe", []string{"name.bin"}},
		"nothing": {"", []string{"name.bin"}},
		"many":    {strings.Repeat(two, 500), slices.Repeat([]string{"Bob"}, 64)},
	} {
		message, err := out.Complete(&portal.SentFile{VCard: []byte(test.data)}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		cards := message.GetContactsArrayMessage().GetContacts()
		if message.ContactMessage != nil {
			cards = append(cards, message.ContactMessage)
		}
		var names []string
		for _, card := range cards {
			names = append(names, card.GetDisplayName())
		}
		if !slices.Equal(names, test.names) || !strings.Contains(message.String(), "expiration") {
			t.Errorf("%s: names %.200q", name, names)
		}
	}
}

func FuzzParseOutgoing(f *testing.F) {
	for _, content := range []event.MessageEventContent{file(event.MsgImage, "image/gif", 9), {MsgType: event.MsgText, Body: "x"}} {
		out, err := portal.ToInterop(&bridgev2.MatrixMessage{MatrixEventBase: bridgev2.MatrixEventBase[*event.MessageEventContent]{Content: &content}}, nil)
		if err != nil {
			f.Fatal(err)
		}
		data, err := out.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"message":"","attachment":{"kind":"image","size":-1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := portal.ParseOutgoing(data)
		if err != nil {
			if !errors.Is(err, portal.ErrInvalidOutgoing) {
				t.Errorf("error = %v", err)
			}
			return
		}
		if out.Attachment != nil && (out.Attachment.File == nil || out.Attachment.Size < 0) {
			t.Errorf("attachment = %+v", out.Attachment)
		}
		stored, err := out.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := portal.ParseOutgoing(stored); len(stored) < 256<<10 && (err != nil || !proto.Equal(again.Message, out.Message)) {
			t.Errorf("again = %+v, %v", again, err)
		}
		media := &interop.Media{}
		if out.Attachment != nil {
			media.Kind = out.Attachment.MediaKind(false)
		}
		_, _ = out.Complete(&portal.SentFile{Media: media, VCard: data}, time.Unix(1, 0))
	})
}

package portal_test

import (
	"errors"
	"strings"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/portal"
)

func matrixMessage(content *event.MessageEventContent) *bridgev2.MatrixMessage {
	return &bridgev2.MatrixMessage{MatrixEventBase: bridgev2.MatrixEventBase[*event.MessageEventContent]{Content: content}}
}

func TestToInteropTakesTheText(t *testing.T) {
	reply := &event.RelatesTo{InReplyTo: &event.InReplyTo{EventID: "$event"}}
	for name, test := range map[string]struct {
		content event.MessageEventContent
		want    string
	}{
		"plain":                {event.MessageEventContent{MsgType: event.MsgText, Body: "hello"}, "hello"},
		"formatted":            {event.MessageEventContent{MsgType: event.MsgText, Body: "**hi**", Format: event.FormatHTML, FormattedBody: "<strong>hi</strong>"}, "*hi*"},
		"notice":               {event.MessageEventContent{MsgType: event.MsgNotice, Body: "beep"}, "beep"},
		"emote":                {event.MessageEventContent{MsgType: event.MsgEmote, Body: "waves\nand smiles"}, "_waves_\n_and smiles_"},
		"formatted emote":      {event.MessageEventContent{MsgType: event.MsgEmote, Body: "waves", Format: event.FormatHTML, FormattedBody: "<b>waves</b> a lot"}, "_*waves* a lot_"},
		"literal markers":      {event.MessageEventContent{MsgType: event.MsgText, Body: "*not bold*"}, "*\u200anot bold*"},
		"other format":         {event.MessageEventContent{MsgType: event.MsgText, Body: "hello", Format: "x.markdown", FormattedBody: "<b>no</b>"}, "hello"},
		"formatted but empty":  {event.MessageEventContent{MsgType: event.MsgText, Body: "hello", Format: event.FormatHTML, FormattedBody: "<p></p>"}, "hello"},
		"formatted too large":  {event.MessageEventContent{MsgType: event.MsgText, Body: "hello", Format: event.FormatHTML, FormattedBody: "<b>" + strings.Repeat("x", 70_000) + "</b>"}, "hello"},
		"reply fallback":       {event.MessageEventContent{MsgType: event.MsgText, Body: "> <@bob:example.org> secret\n\nyes", RelatesTo: reply}, "yes"},
		"reply fallback, HTML": {event.MessageEventContent{MsgType: event.MsgText, Body: "x", Format: event.FormatHTML, FormattedBody: "<mx-reply><blockquote>secret</blockquote></mx-reply>yes", RelatesTo: reply}, "yes"},
		"quote without reply":  {event.MessageEventContent{MsgType: event.MsgText, Body: "> <@bob:example.org> said\n\nyes"}, "> <@bob:example.org> said\n\nyes"},
		"control characters":   {event.MessageEventContent{MsgType: event.MsgText, Body: "a\x00b\x1bc"}, "abc"},
		"longest":              {event.MessageEventContent{MsgType: event.MsgText, Body: strings.Repeat("x", 65_000)}, strings.Repeat("x", 65_000)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := portal.ToInterop(matrixMessage(&test.content), nil)
			if err != nil || got.Attachment != nil || got.Message.GetConversation() != test.want {
				t.Errorf("ToInterop = %+v, %v, want %.200q", got, err, test.want)
			}
		})
	}
}

func TestToInteropSaysWhyNot(t *testing.T) {
	for name, test := range map[string]struct {
		content event.MessageEventContent
		want    error
		say     string
	}{
		"open picture":     {event.MessageEventContent{MsgType: event.MsgImage, Body: "cat.jpg", URL: "mxc://example.org/cat"}, portal.ErrNotEncrypted, "not encrypted"},
		"file of nothing":  {event.MessageEventContent{MsgType: event.MsgFile, Body: "cat.jpg", File: &event.EncryptedFileInfo{}}, portal.ErrNotEncrypted, "not encrypted"},
		"gallery":          {event.MessageEventContent{MsgType: event.MsgBeeperGallery}, portal.ErrUnsupportedKind, "Galleries cannot be sent"},
		"nowhere":          {event.MessageEventContent{MsgType: event.MsgLocation, GeoURI: "geo:NaN,2"}, portal.ErrInvalidLocation, "location"},
		"off the earth":    {event.MessageEventContent{MsgType: event.MsgLocation, GeoURI: "geo:91,2"}, portal.ErrInvalidLocation, "location"},
		"hexadecimal":      {event.MessageEventContent{MsgType: event.MsgLocation, GeoURI: "geo:0x1p3,2"}, portal.ErrInvalidLocation, "location"},
		"long caption":     {event.MessageEventContent{MsgType: event.MsgImage, File: encryptedFile(), FileName: "a.jpg", Body: strings.Repeat("x", portal.MaxTextLength+1)}, portal.ErrTextTooLong, "too long"},
		"verification":     {event.MessageEventContent{MsgType: event.MsgVerificationRequest, To: id.UserID("@x:y")}, portal.ErrUnsupportedKind, "Verification requests"},
		"unheard of":       {event.MessageEventContent{MsgType: "org.example.dance"}, portal.ErrUnsupportedKind, "Messages of this kind"},
		"no kind":          {event.MessageEventContent{Body: "x"}, portal.ErrUnsupportedKind, "Messages of this kind"},
		"empty":            {event.MessageEventContent{MsgType: event.MsgText}, portal.ErrNoText, "no text"},
		"only line ends":   {event.MessageEventContent{MsgType: event.MsgText, Body: "\n\n"}, portal.ErrNoText, "no text"},
		"too many bytes":   {event.MessageEventContent{MsgType: event.MsgText, Body: strings.Repeat("ä", 33_000)}, portal.ErrTextTooLong, "too long"},
		"too many letters": {event.MessageEventContent{MsgType: event.MsgText, Body: strings.Repeat("x", portal.MaxTextLength+1)}, portal.ErrTextTooLong, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			message, err := portal.ToInterop(matrixMessage(&test.content), nil)
			if message != nil || !errors.Is(err, test.want) {
				t.Fatalf("ToInterop = %v, %v, want %v", message, err, test.want)
			}
			var status bridgev2.MessageStatus
			if !errors.As(err, &status) {
				t.Fatalf("error %T is no message status", err)
			}
			if status.Status != event.MessageStatusFail || status.ErrorReason != event.MessageStatusUnsupported || !status.SendNotice || !status.IsCertain {
				t.Errorf("status = %+v", status)
			}
			if !strings.Contains(status.Message, test.say) || strings.Contains(err.Error(), "cat.jpg") {
				t.Errorf("the user reads %q, the log %q", status.Message, err)
			}
			notice := status.ToNoticeEvent(&bridgev2.MessageStatusEventInfo{SourceEventID: "$event"})
			if !strings.Contains(notice.Body, test.say) {
				t.Errorf("notice = %q", notice.Body)
			}
		})
	}
}

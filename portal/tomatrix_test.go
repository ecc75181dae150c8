package portal_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

func text(body string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(body)} }

// onlyPart fails unless the message has one part, and returns its content.
func onlyPart(t *testing.T, message *waE2E.Message) *event.MessageEventContent {
	t.Helper()
	converted, err := portal.ToMatrix(message, nil)
	if err != nil || len(converted.Parts) != 1 {
		t.Fatalf("ToMatrix = %+v, %v, want one part", converted, err)
	}
	part := converted.Parts[0]
	if part.Type != event.EventMessage || part.ID != "" || part.Content.Mentions == nil {
		t.Errorf("part = %+v", part)
	}
	return part.Content
}

func TestTextBecomesText(t *testing.T) {
	for name, test := range map[string]struct {
		message    *waE2E.Message
		body, html string
	}{
		"plain":          {text("hello"), "hello", ""},
		"extended":       {&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("hello"), Title: proto.String("page")}}, "hello", ""},
		"formatted":      {text("*hi* <b>"), "*hi* <b>", "<strong>hi</strong> &lt;b&gt;"},
		"spaces around":  {text("\n hello \n"), "hello", ""},
		"line ends":      {text("a\r\nb\rc"), "a\nb\nc", ""},
		"controls":       {text("a\x00\x1b[31mb\x7f"), "a[31mb", ""},
		"broken UTF-8":   {text("a\xffb"), "a\ufffdb", ""},
		"with key":       {&waE2E.Message{Conversation: proto.String("hi"), SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}}, "hi", ""},
		"mention others": {text("@room @4915112345678 hi"), "@room @4915112345678 hi", ""},
	} {
		t.Run(name, func(t *testing.T) {
			content := onlyPart(t, test.message)
			if content.MsgType != event.MsgText || content.Body != test.body || content.FormattedBody != test.html {
				t.Errorf("content = %+v", content)
			}
			if (content.Format != "") != (test.html != "") {
				t.Errorf("format %q with formatted body %q", content.Format, content.FormattedBody)
			}
			if content.Mentions.Room || len(content.Mentions.UserIDs) > 0 {
				t.Errorf("mentions = %+v, want none", content.Mentions)
			}
		})
	}
}

func TestWrappedMessagesAreUnwrapped(t *testing.T) {
	future := func(message *waE2E.Message) *waE2E.FutureProofMessage {
		return &waE2E.FutureProofMessage{Message: message}
	}
	for name, message := range map[string]*waE2E.Message{
		"disappearing": {EphemeralMessage: future(text("hi"))},
		"view once":    {ViewOnceMessageV2: future(text("hi"))},
		"device sent":  {DeviceSentMessage: &waE2E.DeviceSentMessage{Message: text("hi")}},
		"several":      {DeviceSentMessage: &waE2E.DeviceSentMessage{Message: &waE2E.Message{EphemeralMessage: future(&waE2E.Message{ViewOnceMessage: future(text("hi"))})}}},
		"context info": {MessageContextInfo: &waE2E.MessageContextInfo{}, EphemeralMessage: future(text("hi"))},
		"newer one":    {GroupStatusMessageV2: future(text("hi"))},
	} {
		t.Run(name, func(t *testing.T) {
			if content := onlyPart(t, message); content.Body != "hi" || content.MsgType != event.MsgText {
				t.Errorf("content = %+v", content)
			}
		})
	}
}

func TestWrappersWithoutEndAreGivenUp(t *testing.T) {
	message := text("hi")
	for range 1000 {
		message = &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: message}}
	}
	if content := onlyPart(t, message); content.MsgType != event.MsgNotice {
		t.Errorf("content = %+v, want a notice", content)
	}
}

func TestOtherKindsBecomeNotices(t *testing.T) {
	for name, test := range map[string]struct {
		message *waE2E.Message
		want    string
		kind    string
	}{
		"picture":           {&waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}, "Sent a picture, which is missing here.", "imageMessage"},
		"picture with text": {&waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("*our* house")}}, "stored.\n*our* house", "imageMessage"},
		"video":             {&waE2E.Message{VideoMessage: &waE2E.VideoMessage{}}, "Sent a video, which", "videoMessage"},
		"voice":             {&waE2E.Message{AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true)}}, "Sent a voice message, which", "audioMessage"},
		"audio":             {&waE2E.Message{AudioMessage: &waE2E.AudioMessage{}}, "Sent an audio file, which", "audioMessage"},
		"file":              {&waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{Caption: proto.String("the plan")}}}}, "stored.\nthe plan", "documentMessage"},
		"sticker":           {&waE2E.Message{StickerMessage: &waE2E.StickerMessage{}}, "Sent a sticker, which", "stickerMessage"},
		"contact":           {&waE2E.Message{ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("Eve")}}, "Sent a contact card, which cannot be shown here.\nEve", "contactMessage"},
		"location":          {&waE2E.Message{LocationMessage: &waE2E.LocationMessage{Name: proto.String("Station")}}, "Sent a location without a place on earth, which cannot be shown here.\nStation", "locationMessage"},
		"live location":     {&waE2E.Message{LiveLocationMessage: &waE2E.LiveLocationMessage{}}, "Sent a live location, which", "liveLocationMessage"},
		"poll": {&waE2E.Message{PollCreationMessageV3: &waE2E.PollCreationMessage{Name: proto.String("When?"), Options: []*waE2E.PollCreationMessage_Option{
			{OptionName: proto.String("now")}, {OptionName: proto.String("later")}}}}, "here.\nWhen?\n- now\n- later", "pollCreationMessageV3"},
		"vote":              {&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{}}, "Sent a vote in a poll, which", "pollUpdateMessage"},
		"event":             {&waE2E.Message{EventMessage: &waE2E.EventMessage{Name: proto.String("Party")}}, "Sent an event, which cannot be shown here.\nParty", "eventMessage"},
		"order":             {&waE2E.Message{OrderMessage: &waE2E.OrderMessage{}}, "Sent an order, which", "orderMessage"},
		"reaction":          {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Text: proto.String("👍")}}, "Reacted with 👍 to a message that is not here.", "reactionMessage"},
		"reaction gone":     {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{}}, "Took back a reaction to", "reactionMessage"},
		"deleted":           {protocol(waE2E.ProtocolMessage_REVOKE, nil), "Deleted a message that is not here.", "protocolMessage"},
		"edited":            {protocol(waE2E.ProtocolMessage_MESSAGE_EDIT, text("new words")), "Changed a message that is not here. It now says:\nnew words", "protocolMessage"},
		"edited caption":    {protocol(waE2E.ProtocolMessage_MESSAGE_EDIT, &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("new")}}), "It now says:\nnew", "protocolMessage"},
		"edited to nothing": {protocol(waE2E.ProtocolMessage_MESSAGE_EDIT, nil), "Changed a message that is not here.", "protocolMessage"},
		"edited, wrapped":   {&waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: protocol(waE2E.ProtocolMessage_MESSAGE_EDIT, text("new"))}}, "It now says:\nnew", "protocolMessage"},
		"timer off":         {protocol(waE2E.ProtocolMessage_EPHEMERAL_SETTING, nil), "Turned off disappearing messages.", "protocolMessage"},
		"key and picture":   {&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}, ImageMessage: &waE2E.ImageMessage{}}, "Sent a picture, which", "senderKeyDistributionMessage"},
		"unknown to us":     {&waE2E.Message{BotTaskMessage: &waE2E.FutureProofMessage{}}, "Sent something, which cannot be shown here.", "botTaskMessage"},
	} {
		t.Run(name, func(t *testing.T) {
			content := onlyPart(t, test.message)
			if content.MsgType != event.MsgNotice || !strings.Contains(content.Body, test.want) || content.FormattedBody != "" {
				t.Errorf("content = %+v, want %q", content, test.want)
			}
			if kind := portal.Kind(test.message); kind != test.kind {
				t.Errorf("kind = %q, want %q", kind, test.kind)
			}
		})
	}
}

func protocol(kind waE2E.ProtocolMessage_Type, edited *waE2E.Message) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: kind.Enum(), EditedMessage: edited}}
}

func TestUnknownFieldsBecomeANotice(t *testing.T) {
	message := &waE2E.Message{}
	if err := proto.Unmarshal([]byte{0xfa, 0x3e, 0x02, 0x08, 0x01}, message); err != nil { // field 1007
		t.Fatal(err)
	}
	if content := onlyPart(t, message); !strings.HasPrefix(content.Body, "Sent something") {
		t.Errorf("content = %+v", content)
	}
}

// TestEveryKindIsShownOrIgnoredForAReason goes through the whole protobuf, so that nothing is dropped in silence when
// it grows.
func TestEveryKindIsShownOrIgnoredForAReason(t *testing.T) {
	fields := (&waE2E.Message{}).ProtoReflect().Descriptor().Fields()
	ignored := 0
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.Kind() != protoreflect.MessageKind {
			continue
		}
		message := &waE2E.Message{}
		message.ProtoReflect().Set(field, message.ProtoReflect().NewField(field))
		converted, err := portal.ToMatrix(message, nil)
		switch {
		case err == nil && len(converted.Parts) == 1 && converted.Parts[0].Content.Body != "":
		case errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) && len(err.Error()) > len(bridgev2.ErrIgnoringRemoteEvent.Error())+4:
			ignored++
		default:
			t.Errorf("%s: %+v, %v", field.Name(), converted, err)
		}
	}
	if limit := 14; ignored > limit {
		t.Errorf("%d kinds are ignored, want at most %d", ignored, limit)
	}
}

func TestWhatIsNotForPeopleIsIgnored(t *testing.T) {
	for name, message := range map[string]*waE2E.Message{
		"nothing":          nil,
		"empty":            {},
		"empty text":       text(""),
		"blank text":       text(" \n\t "),
		"blank extended":   {ExtendedTextMessage: &waE2E.ExtendedTextMessage{}},
		"group key":        {SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}},
		"context only":     {MessageContextInfo: &waE2E.MessageContextInfo{}},
		"app state keys":   protocol(waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE, nil),
		"history":          protocol(waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION, nil),
		"unknown protocol": protocol(99, nil),
		"protocol, empty":  {ProtocolMessage: &waE2E.ProtocolMessage{}},
		"album":            {AlbumMessage: &waE2E.AlbumMessage{}},
	} {
		t.Run(name, func(t *testing.T) {
			if converted, err := portal.ToMatrix(message, nil); !errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) || converted != nil {
				t.Errorf("ToMatrix = %+v, %v, want it ignored", converted, err)
			}
		})
	}
}

// size of the largest content that an encrypted event can hold: 64 KiB, less a third for base64 and 2 KiB for the rest.
const largestContent = (64<<10 - 2<<10) * 3 / 4

func TestLongTextsAreDivided(t *testing.T) {
	for name, test := range map[string]struct {
		text      string
		most      int
		formatted bool
	}{
		"letters":       {strings.Repeat("a", portal.MaxTextLength), 4, false},
		"words":         {strings.Repeat("word ", portal.MaxTextLength/5), 4, false},
		"lines":         {strings.Repeat("one line\n", portal.MaxTextLength/9), 8, false},
		"angle bracket": {strings.Repeat("<", portal.MaxTextLength), 32, false},
		"emoji":         {strings.Repeat("👋", portal.MaxTextLength), 16, false},
		"formatted":     {strings.Repeat("*a* ", portal.MaxTextLength/4), 8, false},
		"short":         {strings.Repeat("*a* ", 20), 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			converted, err := portal.ToMatrix(text(test.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(converted.Parts) > test.most {
				t.Errorf("%d parts, want at most %d", len(converted.Parts), test.most)
			}
			whole, last := "", ""
			for i, part := range converted.Parts {
				data, err := json.Marshal(part.Content)
				if err != nil || len(data) > largestContent {
					t.Errorf("part %d has %d bytes, %v", i, len(data), err)
				}
				// A replacement of a placeholder holds the text twice, unless it is long.
				part.Content.SetEdit("$event")
				if data, err = json.Marshal(part.Content); err != nil || len(data) > largestContent {
					t.Errorf("part %d as an edit has %d bytes, %v", i, len(data), err)
				}
				if i > 0 && string(part.ID) <= last {
					t.Errorf("part ids %q and %q do not sort", last, part.ID)
				}
				last = string(part.ID)
				if formatted := part.Content.NewContent.FormattedBody != ""; formatted != test.formatted {
					t.Errorf("part %d is formatted: %t", i, formatted)
				}
				whole += part.Content.NewContent.Body
			}
			squeeze := strings.NewReplacer(" ", "", "\n", "")
			if squeeze.Replace(whole) != squeeze.Replace(test.text) {
				t.Errorf("the parts do not add up to the text")
			}
		})
	}
}

func TestTextOverTheLimitIsCutAndSaysSo(t *testing.T) {
	converted, err := portal.ToMatrix(text(strings.Repeat("ä", portal.MaxTextLength+1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := ""
	for _, part := range converted.Parts {
		whole += part.Content.Body
	}
	if got := strings.Count(whole, "ä"); got != portal.MaxTextLength || !strings.HasSuffix(whole, "allows.]") {
		t.Errorf("%d characters kept, end %q", got, whole[len(whole)-20:])
	}
}

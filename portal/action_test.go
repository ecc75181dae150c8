package portal_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"

	"postern/portal"
)

func key(id string, fromMe bool) *waCommon.MessageKey {
	return &waCommon.MessageKey{ID: proto.String(id), FromMe: proto.Bool(fromMe), RemoteJID: proto.String("1-5@interop")}
}

func reaction(key *waCommon.MessageKey, emoji string) *waE2E.Message {
	return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key, Text: proto.String(emoji), SenderTimestampMS: proto.Int64(1_700_000_000_123)}}
}

func action(kind waE2E.ProtocolMessage_Type, key *waCommon.MessageKey, edited *waE2E.Message) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: kind.Enum(), Key: key, EditedMessage: edited, TimestampMS: proto.Int64(1_700_000_000_123)}}
}

func TestActions(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	edit := action(waE2E.ProtocolMessage_MESSAGE_EDIT, key("3EB0", true), text("new"))
	for name, test := range map[string]struct {
		message *waE2E.Message
		want    portal.Action
	}{
		"reaction to ours":  {reaction(key("3EB0", false), "👍"), portal.Action{Kind: portal.ActionReact, Target: "3EB0", Direction: portal.FromUser, Emoji: "👍\ufe0f", At: at}},
		"reaction to own":   {reaction(key("3EB0", true), "❤"), portal.Action{Kind: portal.ActionReact, Target: "3EB0", Direction: portal.FromContact, Emoji: "❤\ufe0f", At: at}},
		"reaction revoked":  {reaction(key("3EB0", false), ""), portal.Action{Kind: portal.ActionReact, Target: "3EB0", Direction: portal.FromUser, At: at}},
		"deletion":          {action(waE2E.ProtocolMessage_REVOKE, key("3EB0", true), nil), portal.Action{Kind: portal.ActionDelete, Target: "3EB0", Direction: portal.FromContact, At: at}},
		"edit":              {edit, portal.Action{Kind: portal.ActionEdit, Target: "3EB0", Direction: portal.FromContact, At: at, Edited: text("new")}},
		"edit, wrapped":     {&waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: edit}}, portal.Action{Kind: portal.ActionEdit, Target: "3EB0", Direction: portal.FromContact, At: at, Edited: text("new")}},
		"timer":             {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(86400)}}, portal.Action{Kind: portal.ActionTimer, Timer: 24 * time.Hour}},
		"timer off":         {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum()}}, portal.Action{Kind: portal.ActionTimer}},
		"time that is none": {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key("3EB0", false), SenderTimestampMS: proto.Int64(-5)}}, portal.Action{Kind: portal.ActionReact, Target: "3EB0", Direction: portal.FromUser}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := portal.ActionOf(test.message)
			if err != nil || got == nil {
				t.Fatalf("ActionOf = %v, %v", got, err)
			}
			same := proto.Equal(got.Edited, test.want.Edited) && got.At.Equal(test.want.At)
			got.Edited, got.At, test.want.Edited, test.want.At = nil, time.Time{}, nil, time.Time{}
			if !same || *got != test.want {
				t.Errorf("ActionOf = %+v, want %+v", *got, test.want)
			}
		})
	}
}

func TestOrdinaryMessagesAreNoActions(t *testing.T) {
	for _, message := range []*waE2E.Message{nil, {}, text("hi"), {ImageMessage: image()}, {ProtocolMessage: &waE2E.ProtocolMessage{}}, action(waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE, nil, nil)} {
		if got, err := portal.ActionOf(message); got != nil || err != nil {
			t.Errorf("ActionOf(%v) = %v, %v", message, got, err)
		}
	}
}

func TestBadActionsAreIgnored(t *testing.T) {
	for name, test := range map[string]struct {
		message *waE2E.Message
		want    error
	}{
		"edit of ours":     {action(waE2E.ProtocolMessage_MESSAGE_EDIT, key("3EB0", false), text("x")), portal.ErrForeignTarget},
		"deletion of ours": {action(waE2E.ProtocolMessage_REVOKE, key("3EB0", false), nil), portal.ErrForeignTarget},
		"no key":           {action(waE2E.ProtocolMessage_REVOKE, nil, nil), portal.ErrInvalidAction},
		"strange id":       {reaction(key("a b\n", true), "👍"), portal.ErrInvalidAction},
		"long id":          {reaction(key(strings.Repeat("A", 129), true), "👍"), portal.ErrInvalidAction},
		"nothing edited":   {action(waE2E.ProtocolMessage_MESSAGE_EDIT, key("3EB0", true), nil), portal.ErrInvalidAction},
		"essay":            {reaction(key("3EB0", true), strings.Repeat("x", 65)), portal.ErrInvalidAction},
		"two lines":        {reaction(key("3EB0", true), "a\nb"), portal.ErrInvalidAction},
		"backwards":        {reaction(key("3EB0", true), "\u202eab"), portal.ErrInvalidAction},
		"broken":           {reaction(key("3EB0", true), "\xff"), portal.ErrInvalidAction},
	} {
		got, err := portal.ActionOf(test.message)
		if got != nil || !errors.Is(err, test.want) || !errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) {
			t.Errorf("%s: ActionOf = %v, %v, want %v", name, got, err, test.want)
		}
	}
}

func FuzzActionOf(f *testing.F) {
	for _, message := range []*waE2E.Message{
		reaction(key("3EB0", false), "👍"), reaction(key("3EB0", true), ""), action(waE2E.ProtocolMessage_REVOKE, key("3EB0", true), nil),
		action(waE2E.ProtocolMessage_MESSAGE_EDIT, key("3EB0", true), text("x")), action(waE2E.ProtocolMessage_EPHEMERAL_SETTING, nil, nil), text("x"),
	} {
		data, err := proto.Marshal(message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		message := &waE2E.Message{}
		if proto.Unmarshal(data, message) != nil {
			return
		}
		got, err := portal.ActionOf(message)
		switch {
		case err != nil:
			if !errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) || got != nil {
				t.Errorf("ActionOf = %v, %v", got, err)
			}
		case got == nil:
		case got.Kind != portal.ActionTimer:
			if _, err = portal.MessageID(got.Direction, "whatsapp-4915112345678", got.Target); err != nil {
				t.Errorf("target %q: %v", got.Target, err)
			}
			if len(got.Emoji) > 128 || strings.ContainsFunc(got.Emoji, unicode.IsControl) || (got.Kind == portal.ActionEdit) != (got.Edited != nil) {
				t.Errorf("action = %+v", got)
			}
		case got.Timer < 0:
			t.Errorf("timer = %v", got.Timer)
		}
	})
}

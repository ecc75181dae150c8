package portal

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/reflect/protoreflect"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

// maxQuote is how much of a quoted text is shown where the message itself is not in the room, in characters.
const maxQuote = 300

// ReplyTarget returns what a contact's message answers: the id, who wrote that (empty if unknown), and what it was as the
// contact's app has it (nil if unknown).
func ReplyTarget(message *waE2E.Message) (id types.MessageID, participant types.JID, quoted *waE2E.Message, ok bool) {
	info := contextInfo(unwrap(message))
	id = info.GetStanzaID()
	if len(id) > MaxMessageIDLength || !messageIDForm.MatchString(id) {
		return "", types.EmptyJID, nil, false
	}
	participant, err := types.ParseJID(info.GetParticipant())
	if err != nil {
		participant = types.EmptyJID
	}
	return id, participant, info.GetQuotedMessage(), true
}

// ReplyIDs returns the ids that the answered message may have in the bridge's database, the likely one first: the contact's
// app says who wrote it, but not always by a name that we know.
func ReplyIDs(message *waE2E.Message, contact networkid.UserID) []networkid.MessageID {
	id, participant, _, ok := ReplyTarget(message)
	if !ok {
		return nil
	}
	directions := [...]Direction{FromUser, FromContact}
	if _, jid, err := ParseUserID(contact); err == nil && (participant.User == jid.User || participant.Server == types.HiddenUserServer) {
		directions = [...]Direction{FromContact, FromUser}
	}
	var ids []networkid.MessageID
	for _, direction := range directions {
		if rowID, err := MessageID(direction, contact, id); err == nil {
			ids = append(ids, rowID)
		}
	}
	return ids
}

// contextInfo returns what is told beside the content of a message of any kind, nil if nothing.
func contextInfo(message *waE2E.Message) (info *waE2E.ContextInfo) {
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Kind() != protoreflect.MessageKind || field.IsList() || field.IsMap() {
			return true
		}
		content := value.Message()
		beside := content.Descriptor().Fields().ByName("contextInfo")
		if beside != nil && content.Has(beside) {
			info, _ = content.Get(beside).Message().Interface().(*waE2E.ContextInfo)
		}
		return info == nil
	})
	return info
}

// quoteFor returns the words of what a message answers, as lines with WhatsApp's marker for a quote; "" if it answers
// nothing.
func quoteFor(message *waE2E.Message) string {
	_, _, quoted, ok := ReplyTarget(message)
	if !ok {
		return ""
	}
	words := strings.ReplaceAll(quotedWords(quoted), "```", "") // it would go on into the answer
	if short := cutText(words, maxQuote); short != words {
		words = short + "…"
	}
	return "> " + strings.ReplaceAll(words, "\n", "\n> ") + "\n"
}

// quotedWords says what a quoted message is.
func quotedWords(quoted *waE2E.Message) string {
	if viewOnce(quoted) {
		return incomingFile(unwrap(quoted)).kind
	}
	quoted = unwrap(quoted)
	words, ok := messageText(quoted)
	if !ok {
		names := contentFields(quoted)
		if len(names) == 0 {
			return "an earlier message"
		}
		words = joinLines([]string{kindName(names[0], quoted), readableText(quoted)})
	}
	if words = joinLines(strings.Split(markup.Clean(words), "\n")); words == "" {
		return "an earlier message"
	}
	return words
}

// withQuote puts a quote behind a message without words of its own; "" is none.
func withQuote(converted *bridgev2.ConvertedMessage, quote string) *bridgev2.ConvertedMessage {
	if quote == "" {
		return converted
	}
	behind := textParts(event.MsgNotice, "In answer to:\n"+quote)
	converted.Parts = renumbered(converted.Parts[0], append(converted.Parts[1:], behind...))
	return converted
}

package portal

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"
	"maunium.net/go/mautrix/bridgev2"
)

// notContent are the kinds that are for programs, with the reason for the log.
var notContent = map[protoreflect.Name]string{
	"senderKeyDistributionMessage":               "key of a group",
	"fastRatchetKeySenderKeyDistributionMessage": "key of a group",
	"groupRootKeyShare":                          "key of a group",
	"rootSecretDistributeMessage":                "key of a group",
	"stickerSyncRmrMessage":                      "sync of stickers between devices",
	"messageHistoryBundle":                       "history for a new device",
	"messageHistoryNotice":                       "history for a new device",
	"albumMessage":                               "announces pictures, which come by themselves",
	"chat":                                       "obsolete",
	"conversation":                               "empty text",
}

// kindNames say what a contact sent, for all kinds that are shown as a notice. Those not listed are "something".
var kindNames = map[protoreflect.Name]string{
	"stickerPackMessage":                "a sticker pack",
	"liveLocationMessage":               "a live location",
	"pollCreationMessage":               "a poll",
	"pollCreationMessageV2":             "a poll",
	"pollCreationMessageV3":             "a poll",
	"pollCreationMessageV5":             "a poll",
	"pollCreationMessageV6":             "a poll",
	"pollUpdateMessage":                 "a vote in a poll",
	"pollAddOptionMessage":              "a new option for a poll",
	"pollResultSnapshotMessage":         "the result of a poll",
	"pollResultSnapshotMessageV3":       "the result of a poll",
	"eventMessage":                      "an event",
	"eventInviteMessage":                "an invitation to an event",
	"encEventResponseMessage":           "an answer to an event",
	"encReactionMessage":                "a reaction",
	"encCommentMessage":                 "a comment",
	"commentMessage":                    "a comment",
	"secretEncryptedMessage":            "a change of an earlier message",
	"keepInChatMessage":                 "a request to keep a message",
	"pinInChatMessage":                  "a pin for a message",
	"call":                              "a call",
	"bcallMessage":                      "a call",
	"callLogMesssage":                   "a call",
	"scheduledCallCreationMessage":      "a planned call",
	"scheduledCallEditMessage":          "a change of a planned call",
	"orderMessage":                      "an order",
	"productMessage":                    "a product",
	"invoiceMessage":                    "an invoice",
	"sendPaymentMessage":                "a payment",
	"requestPaymentMessage":             "a request for a payment",
	"declinePaymentRequestMessage":      "an answer to a request for a payment",
	"cancelPaymentRequestMessage":       "the end of a request for a payment",
	"paymentInviteMessage":              "an invitation to payments",
	"paymentReminderMessage":            "a reminder of a payment",
	"splitPaymentMessage":               "a shared payment",
	"splitPaymentUpdateMessage":         "a change of a shared payment",
	"groupInviteMessage":                "an invitation to a group",
	"newsletterAdminInviteMessage":      "an invitation to a channel",
	"requestPhoneNumberMessage":         "a request for your phone number",
	"musicMessage":                      "music",
	"templateMessage":                   "a message with buttons",
	"highlyStructuredMessage":           "a message with buttons",
	"buttonsMessage":                    "a message with buttons",
	"listMessage":                       "a message with a list of choices",
	"interactiveMessage":                "a message with buttons",
	"buttonsResponseMessage":            "a choice",
	"listResponseMessage":               "a choice",
	"templateButtonReplyMessage":        "a choice",
	"interactiveResponseMessage":        "a choice",
	"placeholderMessage":                "a message that only their own phone shows",
	"richResponseMessage":               "an answer of an assistant",
	"newsletterFollowerInviteMessageV2": "an invitation to a channel",
}

// convertOther makes a notice of everything that is not text.
func convertOther(message *waE2E.Message) (*bridgev2.ConvertedMessage, error) {
	reason := "empty message"
	for _, name := range contentFields(message) {
		switch why, skip := notContent[name]; {
		case skip:
			reason = why
		case name == "protocolMessage":
			return convertProtocol(message.GetProtocolMessage())
		case name == "reactionMessage":
			return convertReaction(message.GetReactionMessage()), nil
		default:
			return noticeFor(kindName(name, message), readableText(message)), nil
		}
	}
	if len(message.ProtoReflect().GetUnknown()) > 0 {
		return noticeFor("something", ""), nil
	}
	return nil, ignored(reason)
}

func kindName(name protoreflect.Name, message *waE2E.Message) string {
	if file := incomingFile(message); file != nil {
		return file.kind
	}
	switch {
	case message.LocationMessage != nil:
		return "a location"
	case message.ContactMessage != nil:
		return "a contact card"
	case message.ContactsArrayMessage != nil:
		return "contact cards"
	}
	if known, ok := kindNames[name]; ok {
		return known
	}
	return "something"
}

// noticeFor says that a kind cannot be shown, and adds the words in it, if any.
func noticeFor(kind, words string) *bridgev2.ConvertedMessage {
	text := "Sent " + kind + ", which cannot be shown here."
	if words != "" {
		text += "\n" + words
	}
	return Notice(text)
}

// noticeOnce says that something may be viewed once, and nothing of what is in it.
func noticeOnce(message *waE2E.Message, quote string) *bridgev2.ConvertedMessage {
	kind := incomingFile(unwrap(message)).kind
	return Notice(quote + "Sent " + kind + " that can be viewed once, which cannot be shown here.")
}

// readableText returns the words that came with something that is not text: captions, questions, names.
func readableText(message *waE2E.Message) string {
	poll := message.GetPollCreationMessage()
	for _, other := range []*waE2E.PollCreationMessage{
		message.GetPollCreationMessageV2(), message.GetPollCreationMessageV3(), message.GetPollCreationMessageV5(), message.GetPollCreationMessageV6(),
	} {
		if poll == nil {
			poll = other
		}
	}
	words := []string{
		message.GetImageMessage().GetCaption(),
		message.GetVideoMessage().GetCaption(),
		message.GetPtvMessage().GetCaption(),
		message.GetDocumentMessage().GetCaption(),
		message.GetLiveLocationMessage().GetCaption(),
		message.GetLocationMessage().GetName(),
		message.GetLocationMessage().GetAddress(),
		message.GetContactMessage().GetDisplayName(),
		message.GetContactsArrayMessage().GetDisplayName(),
		message.GetEventMessage().GetName(),
		message.GetEventMessage().GetDescription(),
		message.GetGroupInviteMessage().GetCaption(),
		message.GetTemplateMessage().GetHydratedTemplate().GetHydratedContentText(),
		message.GetButtonsMessage().GetContentText(),
		message.GetListMessage().GetTitle(),
		message.GetListMessage().GetDescription(),
		message.GetInteractiveMessage().GetBody().GetText(),
		message.GetButtonsResponseMessage().GetSelectedDisplayText(),
		message.GetListResponseMessage().GetTitle(),
		message.GetTemplateButtonReplyMessage().GetSelectedDisplayText(),
		poll.GetName(),
	}
	for _, option := range poll.GetOptions() {
		words = append(words, "- "+option.GetOptionName())
	}
	return joinLines(words)
}

// joinLines puts what is not empty on lines of its own.
func joinLines(lines []string) string {
	var kept []string
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

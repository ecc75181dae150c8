package phone

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// Quote is the message that another one answers.
type Quote struct {
	// Mine tells whether the user wrote it.
	Mine bool
	// Line is what it said, in one line.
	Line string
}

// quoteIn returns what a message answers, nil if nothing. The chat's own messages are believed rather than the quote.
func (c *chat) quoteIn(content *waE2E.Message) *Quote {
	info := contextOf(content)
	if info.GetStanzaID() == "" {
		return nil
	}
	for _, mine := range []bool{true, false} {
		if known := c.byKey[messageKey{mine, info.GetStanzaID()}]; known != nil && !known.deleted {
			return &Quote{Mine: mine, Line: known.body.line()}
		}
	}
	quoted, _ := bodyOf(info.GetQuotedMessage())
	return &Quote{Line: quoted.line()}
}

func contextOf(content *waE2E.Message) *waE2E.ContextInfo {
	for _, part := range []interface{ GetContextInfo() *waE2E.ContextInfo }{
		content.GetExtendedTextMessage(), content.GetImageMessage(), content.GetVideoMessage(), content.GetAudioMessage(),
		content.GetDocumentMessage(), content.GetStickerMessage(), content.GetLocationMessage(), content.GetContactMessage(),
	} {
		if info := part.GetContextInfo(); info != nil { // the getters take nil
			return info
		}
	}
	return nil
}

// answering is the context of a message that answers this one. own is the user's own address, without device.
func (m *message) answering(own string) *waE2E.ContextInfo {
	sender := own
	if !m.key.mine {
		sender = m.chat.contact.Address.String()
	}
	return &waE2E.ContextInfo{StanzaID: proto.String(m.key.id), Participant: proto.String(sender), QuotedMessage: m.content}
}

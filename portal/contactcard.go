package portal

import (
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

const (
	vcardMimeType = "text/vcard"
	// maxCard is how large a contact card may be, in bytes. It holds a photo at most.
	maxCard = 256 << 10
	// maxCards is how many of a message's cards are shown. It is our choice: WhatsApp's clients let people pick as many as they
	// like, but a message of 64 KiB has no room for many.
	maxCards = 64
	// maxCardName is how long a contact's name may be, in characters.
	maxCardName = 100
	// cardCaption is in front of the name.
	cardCaption = "Contact: "
)

// contactCard is one contact that was sent, with its vCard.
type contactCard struct {
	name string // one line, never empty
	data []byte
}

// contactCards returns the cards that can be shown, and how many more there are.
func contactCards(message *waE2E.Message) (cards []contactCard, skipped int) {
	var contacts []*waE2E.ContactMessage
	if message.ContactMessage != nil {
		contacts = append(contacts, message.ContactMessage)
	}
	contacts = append(contacts, message.GetContactsArrayMessage().GetContacts()...)
	for _, contact := range contacts {
		data := contact.GetVcard()
		if len(cards) == maxCards || len(data) > maxCard || strings.TrimSpace(data) == "" {
			skipped++
			continue
		}
		name := cutText(oneLine(markup.Clean(contact.GetDisplayName())), maxCardName)
		if name == "" {
			name = "without a name"
		}
		cards = append(cards, contactCard{name, []byte(data)})
	}
	return cards, skipped
}

// convertContacts shows each card as a file, or in words if it could not be stored: a part each, always in the same order.
func convertContacts(message *waE2E.Message, context *Context) *bridgev2.ConvertedMessage {
	cards, skipped := contactCards(message)
	if len(cards) == 0 {
		return noticeFor("a contact card", readableText(message))
	}
	var parts []*bridgev2.ConvertedMessagePart
	for i, card := range cards {
		stored := context.file(i)
		if stored == nil {
			parts = append(parts, textParts(event.MsgNotice, cardCaption+card.name+"\nThe card could not be stored.")...)
			continue
		}
		content := &event.MessageEventContent{
			MsgType: event.MsgFile, Body: cardCaption + card.name, FileName: SafeFileName(card.name+".vcf", vcardMimeType),
			Info: &event.FileInfo{MimeType: vcardMimeType, Size: len(card.data)}, File: stored.File, Mentions: &event.Mentions{},
		}
		parts = append(parts, &bridgev2.ConvertedMessagePart{Type: event.EventMessage, Content: content, DBMetadata: &MessageMetadata{Media: true}})
	}
	if skipped > 0 {
		parts = append(parts, textParts(event.MsgNotice, fmt.Sprintf("Contact cards that cannot be shown here: %d more.", skipped))...)
	}
	return &bridgev2.ConvertedMessage{Parts: renumbered(parts[0], parts[1:])}
}

package portal

import (
	"fmt"
	"slices"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
)

// placeholderText stands in the room for a message that could not be decrypted.
const placeholderText = "This message could not be decrypted yet. The sender's app was asked to send it again."

// MessageMetadata is what is stored with every part of a message, besides what bridgev2 stores.
type MessageMetadata struct {
	// Placeholder: the message could not be decrypted, and this part stands in its place.
	Placeholder bool `json:"placeholder,omitempty"`
}

// NewMessageMetadata is for bridgev2's table of metadata types.
func NewMessageMetadata() any { return &MessageMetadata{} }

// Placeholder stands in for a message that could not be decrypted, under that message's id. [Complete] puts the message
// in its place when it comes. It is no notice: clients notify people neither of notices nor of the edit that replaces
// this, so that they would never hear of the message.
func Placeholder() *bridgev2.ConvertedMessage {
	parts := textParts(event.MsgText, placeholderText)
	parts[0].DBMetadata = &MessageMetadata{Placeholder: true}
	return &bridgev2.ConvertedMessage{Parts: parts}
}

// Complete compares a message with the parts of it that are in the room already, and returns what is left to do: a
// placeholder is replaced, parts that are missing are added. It returns nil if nothing is left. So a message that comes
// again is shown once, and one whose delivery was cut short between two parts is completed.
//
// bridgev2 stores each part when it is sent. A replaced part loses its mark with the same write, so the replacement
// happens once.
func Complete(existing []*database.Message, converted *bridgev2.ConvertedMessage) *bridgev2.ConvertedEdit {
	edit := &bridgev2.ConvertedEdit{}
	missing := &bridgev2.ConvertedMessage{}
	for _, part := range converted.Parts {
		i := slices.IndexFunc(existing, func(row *database.Message) bool { return row.PartID == part.ID })
		switch {
		case i < 0:
			missing.Parts = append(missing.Parts, part)
		case isPlaceholder(existing[i]):
			existing[i].Metadata = &MessageMetadata{}
			edit.ModifiedParts = append(edit.ModifiedParts, part.ToEditPart(existing[i]))
		}
	}
	if len(missing.Parts) > 0 {
		edit.AddedParts = missing
	}
	if edit.ModifiedParts == nil && edit.AddedParts == nil {
		return nil
	}
	return edit
}

// HasPlaceholder tells whether one of the parts stands in for a message that could not be decrypted.
func HasPlaceholder(parts []*database.Message) bool { return slices.ContainsFunc(parts, isPlaceholder) }

func isPlaceholder(part *database.Message) bool {
	metadata, ok := part.Metadata.(*MessageMetadata)
	return ok && metadata != nil && metadata.Placeholder
}

// IdentityChangedNotice warns that a contact's key is a new one. name is what the contact is called in the room.
func IdentityChangedNotice(name string) string {
	return fmt.Sprintf("The security code of %s changed. They may have a new phone, or have installed the app again. "+
		"If it matters who reads this, ask them in another way before you go on.", name)
}

package portal

import (
	"fmt"
	"slices"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
)

// placeholderText stands in the room for a message that could not be decrypted.
const placeholderText = "This message could not be decrypted yet. The sender's app was asked to send it again."

// Placeholder stands in for a message that could not be decrypted, under that message's id. [Complete] puts the message
// in its place when it comes. It is no notice: clients notify people neither of notices nor of the edit that replaces
// this, so that they would never hear of the message.
func Placeholder() *bridgev2.ConvertedMessage {
	parts := textParts(event.MsgText, placeholderText)
	parts[0].DBMetadata = &MessageMetadata{Placeholder: true}
	return &bridgev2.ConvertedMessage{Parts: parts}
}

// Complete compares a message with the parts of it that are in the room already, and returns what is left to do, in this
// order; nil if nothing is. So a message that comes again is shown once, and one whose delivery was cut short between two
// parts is completed. A message that was edited or deleted meanwhile is left alone.
//
// A placeholder for a text is edited into it. Clients cannot edit a text into a file, nor into an answer, so these are
// added behind the placeholder, which is deleted only then: a kill in between leaves both, and the next call finds out.
// Their ids are shifted by one, because the id of a Matrix transaction is made from that of the part, and that of the
// first part was used up by the placeholder.
//
// bridgev2 stores each part when it is sent. A replaced part loses its mark with the same write, so the replacement
// happens once.
func Complete(existing []*database.Message, converted *bridgev2.ConvertedMessage) []*bridgev2.ConvertedEdit {
	// Notices of edits are beside the message and not in its place.
	existing = slices.DeleteFunc(slices.Clone(existing), isEditNotice)
	retried := IsUnfetched(existing)
	switch {
	case len(converted.Parts) == 0, IsDeleted(existing), !retried && latestEdit(existing) > 0:
		return nil
	case retried && isUnfetchedPart(converted.Parts[0]):
		return nil // it failed again, which the notice in the room says already
	}
	place := slices.IndexFunc(existing, isPlaceholder)
	shifted := slices.ContainsFunc(existing, func(row *database.Message) bool { return metadataOf(row).Shift })
	if shifted || place >= 0 && (retried || !canReplace(converted)) {
		shift(converted.Parts)
	} else if place >= 0 {
		return replace(existing, place, converted)
	}
	var edits []*bridgev2.ConvertedEdit
	if missing := missingParts(existing, converted); missing != nil {
		edits = append(edits, &bridgev2.ConvertedEdit{AddedParts: missing})
	}
	if place >= 0 {
		edits = append(edits, &bridgev2.ConvertedEdit{DeletedParts: []*database.Message{existing[place]}})
	}
	return edits
}

// canReplace tells whether a placeholder can be edited into a message.
func canReplace(converted *bridgev2.ConvertedMessage) bool {
	first := converted.Parts[0]
	return converted.ReplyTo == nil && first.Type == event.EventMessage && first.Content.MsgType.IsText()
}

// replace puts the first part in the placeholder's place, and adds the others that are not there.
func replace(existing []*database.Message, place int, converted *bridgev2.ConvertedMessage) []*bridgev2.ConvertedEdit {
	edit := &bridgev2.ConvertedEdit{
		AddedParts:    missingParts(existing, converted),
		ModifiedParts: []*bridgev2.ConvertedEditPart{converted.Parts[0].ToEditPart(existing[place])},
	}
	return []*bridgev2.ConvertedEdit{edit}
}

// shift gives the parts the ids behind a placeholder's.
func shift(parts []*bridgev2.ConvertedMessagePart) {
	for i, part := range parts {
		part.ID = partID(i + 1)
		if metadata, ok := part.DBMetadata.(*MessageMetadata); ok {
			metadata.Shift = true
		}
	}
}

// missingParts returns the message with those parts only that are not in the room, nil if all are.
func missingParts(existing []*database.Message, converted *bridgev2.ConvertedMessage) *bridgev2.ConvertedMessage {
	missing := *converted
	missing.Parts = nil
	for _, part := range converted.Parts {
		if !slices.ContainsFunc(existing, func(row *database.Message) bool { return row.PartID == part.ID }) {
			missing.Parts = append(missing.Parts, part)
		}
	}
	if missing.Parts == nil {
		return nil
	}
	return &missing
}

// latestEdit returns when the sender last edited a message, as far as it is shown. 0 is never.
func latestEdit(parts []*database.Message) int64 {
	latest := int64(0)
	for _, part := range parts {
		latest = max(latest, metadataOf(part).EditedAt)
	}
	return latest
}

func isUnfetchedPart(part *bridgev2.ConvertedMessagePart) bool {
	metadata, ok := part.DBMetadata.(*MessageMetadata)
	return ok && metadata.Unfetched
}

// IdentityChange is what a notice about a new key says.
type IdentityChange struct {
	// Name is what the contact is called in the room, Prefix what commands begin with there.
	Name, Prefix string
	// Compared: the user compared the code before. Held: messages wait until the user agrees.
	Compared, Held bool
	// Last: further changes are not shown for a while.
	Last bool
}

// IdentityChangedNotice warns that a contact's key is a new one.
func IdentityChangedNotice(change IdentityChange) string {
	var text strings.Builder
	fmt.Fprintf(&text, "The security code of %s changed. They may have a new phone, or have installed the app again.", change.Name)
	if change.Compared {
		text.WriteString(" You compared the old code; the new one is not marked as compared.")
	}
	fmt.Fprintf(&text, " If it matters who reads this, write \"%s code\" and compare the new code with them.", change.Prefix)
	if change.Held {
		fmt.Fprintf(&text, " Until you agree to it, what you write here waits: react to this notice with \u2705, or write \"%s trust\".", change.Prefix)
	}
	if change.Last {
		text.WriteString(" The code changes often: for the next day further changes are not shown one by one.")
	}
	return text.String()
}

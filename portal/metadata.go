package portal

import (
	"slices"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
)

// MessageMetadata is what is stored with every part of a message, besides what bridgev2 stores.
type MessageMetadata struct {
	// Placeholder: this part stands in the place of a message that could not be decrypted, or not be fetched.
	Placeholder bool `json:"placeholder,omitempty"`
	// Unfetched: the message is known, but its file could not be had. Goes with Placeholder.
	Unfetched bool `json:"unfetched,omitempty"`
	// Media: the part shows a file, and a text of its own as the caption.
	Media bool `json:"media,omitempty"`
	// EditedAt is when the sender edited the message for what this part shows now, in Unix milliseconds. 0 is never.
	EditedAt int64 `json:"edited_at,omitempty"`
	// Deleted: the sender deleted the message, and it is not to be shown if it comes again.
	Deleted bool `json:"deleted,omitempty"`
	// Shift: the part came after a placeholder that it could not be put in place of, so that its id is one higher.
	Shift bool `json:"shift,omitempty"`
}

// NewMessageMetadata is for bridgev2's table of metadata types.
func NewMessageMetadata() any { return &MessageMetadata{} }

// metadataOf never returns nil.
func metadataOf(part *database.Message) *MessageMetadata {
	if metadata, ok := part.Metadata.(*MessageMetadata); ok && metadata != nil {
		return metadata
	}
	return &MessageMetadata{}
}

// HasPlaceholder tells whether one of the parts stands in for a message that could not be decrypted or fetched.
func HasPlaceholder(parts []*database.Message) bool { return slices.ContainsFunc(parts, isPlaceholder) }

// IsUnfetched tells whether one of the parts stands in for a message whose file could not be had.
func IsUnfetched(parts []*database.Message) bool { return slices.ContainsFunc(parts, isUnfetched) }

// IsDeleted tells whether the sender deleted the message.
func IsDeleted(parts []*database.Message) bool {
	return slices.ContainsFunc(parts, func(part *database.Message) bool { return metadataOf(part).Deleted })
}

// HasFile tells whether one of the parts shows a file.
func HasFile(parts []*database.Message) bool { return slices.ContainsFunc(parts, isMedia) }

// MarkEdited notes at all parts of a message that its sender edited it: the original must not replace it any more.
func MarkEdited(converted *bridgev2.ConvertedMessage, at time.Time) {
	for _, part := range converted.Parts {
		metadata, ok := part.DBMetadata.(*MessageMetadata)
		if !ok {
			metadata = &MessageMetadata{}
			part.DBMetadata = metadata
		}
		metadata.EditedAt = at.UnixMilli()
	}
}

func isPlaceholder(part *database.Message) bool { return metadataOf(part).Placeholder }
func isUnfetched(part *database.Message) bool   { return metadataOf(part).Unfetched }

package portal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
)

// editNotice is in front of the id of a part that tells an edit which could not be made in place.
const editNotice = "edit-"

// ToMatrixEdit converts an edit by a contact. existing are all parts of the message, of which there is at least one.
// original is the content of the event that shows the message's file, as it was first sent; nil if the message has none, or
// it cannot be had any more: then a notice tells the new caption. context is as for [ToMatrix]. An
// action without a time counts as the newest, each time it comes: set one that stays.
//
// Only captions of files can be edited, not the files. Parts that an edit needs more of are added at the end, those it
// needs no more are deleted. Each part notes the edit's time, so that the same edit again does what is left of it, and an
// older one that comes late does nothing: then the error wraps bridgev2.ErrIgnoringRemoteEvent.
func ToMatrixEdit(
	action *Action, existing []*database.Message, original *event.MessageEventContent, context *Context,
) (*bridgev2.ConvertedEdit, error) {
	at := action.At.UnixMilli()
	if action.At.IsZero() {
		at = latestEdit(existing) + 1
	}
	switch {
	case IsDeleted(existing):
		return nil, ignored("edit of a deleted message")
	case latestEdit(existing) > at:
		return nil, ignored("older edit")
	}
	rows := slices.DeleteFunc(slices.Clone(existing), isEditNotice)
	slices.SortFunc(rows, func(a, b *database.Message) int { return strings.Compare(string(a.PartID), string(b.PartID)) })
	caption, isCaption := editedCaption(action.Edited, rows)
	switch _, isText := messageText(unwrap(action.Edited)); {
	case isCaption && original != nil && slices.ContainsFunc(rows, isMedia):
		return mergeEdit(rows, captioned(withoutRelations(original), caption), at)
	case isCaption && strings.TrimSpace(caption) == "":
		return noticeEdit("Removed the caption of a file.", at, existing)
	case isCaption:
		return noticeEdit("Changed the caption of a file to:\n"+caption, at, existing)
	case !isText:
		return noticeEdit("Changed a message in a way that cannot be shown here.", at, existing)
	}
	converted, err := convertEdited(action.Edited, rows, context)
	if err != nil {
		return nil, err
	}
	return mergeEdit(rows, converted.Parts, at)
}

// editedCaption returns the new caption if the edit is one of a file's caption.
func editedCaption(edited *waE2E.Message, rows []*database.Message) (caption string, ok bool) {
	if viewOnce(edited) {
		return "", false
	}
	edited = unwrap(edited)
	if file := incomingFile(edited); file != nil {
		return file.caption, true
	}
	if slices.ContainsFunc(rows, func(row *database.Message) bool { return isMedia(row) || isUnfetched(row) }) {
		caption, ok = messageText(edited)
	}
	return caption, ok
}

func isMedia(row *database.Message) bool { return metadataOf(row).Media }

// convertEdited converts an edited text. A message keeps what it answers.
func convertEdited(edited *waE2E.Message, rows []*database.Message, context *Context) (*bridgev2.ConvertedMessage, error) {
	inside := Context{}
	if context != nil {
		inside = *context
	}
	if inside.ReplyTo == "" {
		inside.ReplyTo = rows[0].ReplyTo.MessageID
	}
	return ToMatrix(edited, &inside)
}

// noticeEdit tells an edit in words, as an answer to the message, once.
func noticeEdit(text string, at int64, existing []*database.Message) (*bridgev2.ConvertedEdit, error) {
	id := networkid.PartID(editNotice + strconv.FormatInt(at, 10))
	if slices.ContainsFunc(existing, func(row *database.Message) bool { return row.PartID == id }) {
		return nil, ignored("the edit is there")
	}
	notice := Notice(cutText(text, maxUnfetchedCaption))
	notice.ReplyTo = &networkid.MessageOptionalPartID{MessageID: existing[0].ID}
	notice.Parts[0].ID = id
	notice.Parts[0].DBMetadata = &MessageMetadata{EditedAt: at}
	return &bridgev2.ConvertedEdit{AddedParts: notice}, nil
}

// isEditNotice tells whether a part is what noticeEdit made.
func isEditNotice(row *database.Message) bool {
	return strings.HasPrefix(string(row.PartID), editNotice)
}

// withoutRelations copies a content without what ties it to other events.
func withoutRelations(original *event.MessageEventContent) *event.MessageEventContent {
	content := *original
	content.RelatesTo, content.NewContent, content.Mentions = nil, nil, &event.Mentions{}
	if content.FileName == "" {
		content.FileName = content.Body
	}
	return &content
}

// mergeEdit makes the rows of a message show new parts. Rows with the edit's time show theirs already.
func mergeEdit(rows []*database.Message, parts []*bridgev2.ConvertedMessagePart, at int64) (*bridgev2.ConvertedEdit, error) {
	edit := &bridgev2.ConvertedEdit{}
	shifted := slices.ContainsFunc(rows, func(row *database.Message) bool { return metadataOf(row).Shift })
	for i, part := range parts {
		metadata := &MessageMetadata{EditedAt: at, Shift: shifted}
		if old, ok := part.DBMetadata.(*MessageMetadata); ok {
			metadata.Media = old.Media
		}
		part.DBMetadata = metadata
		switch {
		case i >= len(rows):
			// Not the number alone: it may have been used up by a part that an edit in between deleted, see Complete.
			part.ID = addedPartID(i, shifted, at)
			if edit.AddedParts == nil {
				edit.AddedParts = &bridgev2.ConvertedMessage{}
			}
			edit.AddedParts.Parts = append(edit.AddedParts.Parts, part)
		case metadataOf(rows[i]).EditedAt < at:
			edit.ModifiedParts = append(edit.ModifiedParts, part.ToEditPart(rows[i]))
		}
	}
	if len(rows) > len(parts) {
		edit.DeletedParts = rows[len(parts):]
	}
	if edit.ModifiedParts == nil && edit.AddedParts == nil && edit.DeletedParts == nil {
		return nil, ignored("the edit is there")
	}
	return edit, nil
}

// addedPartID sorts behind the parts before it.
func addedPartID(number int, shifted bool, at int64) networkid.PartID {
	if shifted {
		number++
	}
	return networkid.PartID(fmt.Sprintf("%03d-%d", number, at))
}

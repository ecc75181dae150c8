package portal_test

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

// stored returns the rows that bridgev2 keeps of the parts.
func stored(parts ...*bridgev2.ConvertedMessagePart) []*database.Message {
	var rows []*database.Message
	for _, part := range parts {
		rows = append(rows, &database.Message{PartID: part.ID, MXID: "$event", Metadata: part.DBMetadata})
	}
	return rows
}

func convert(t *testing.T, body string) *bridgev2.ConvertedMessage {
	t.Helper()
	converted, err := portal.ToMatrix(text(body))
	if err != nil {
		t.Fatal(err)
	}
	return converted
}

func TestPlaceholderSaysWhatHappened(t *testing.T) {
	placeholder := portal.Placeholder()
	if len(placeholder.Parts) != 1 || placeholder.Parts[0].ID != "" {
		t.Fatalf("parts = %+v", placeholder.Parts)
	}
	content := placeholder.Parts[0].Content
	if content.MsgType != event.MsgText || !strings.Contains(content.Body, "could not be decrypted yet") || content.Mentions == nil {
		t.Errorf("content = %+v", content)
	}
}

func TestPlaceholderIsReplacedOnce(t *testing.T) {
	rows := stored(portal.Placeholder().Parts...)
	if !portal.HasPlaceholder(rows) {
		t.Fatal("a placeholder is not known as one")
	}
	edit := portal.Complete(rows, convert(t, "*real* text"))
	if edit == nil || len(edit.ModifiedParts) != 1 || edit.AddedParts != nil || edit.DeletedParts != nil {
		t.Fatalf("edit = %+v", edit)
	}
	if part := edit.ModifiedParts[0]; part.Part != rows[0] || part.Content.Body != "*real* text" || part.Content.MsgType != event.MsgText || part.Type != event.EventMessage {
		t.Errorf("modified part = %+v", part)
	}
	if portal.HasPlaceholder(rows) {
		t.Error("the row still counts as a placeholder")
	}
	if again := portal.Complete(rows, convert(t, "*real* text")); again != nil {
		t.Errorf("second time: %+v, want nothing to do", again)
	}
}

func TestLongTextReplacesPlaceholderAndAddsParts(t *testing.T) {
	rows := stored(portal.Placeholder().Parts...)
	long := convert(t, strings.Repeat("word ", 10_000))
	edit := portal.Complete(rows, long)
	if edit == nil || len(edit.ModifiedParts) != 1 || edit.AddedParts == nil || len(edit.AddedParts.Parts) != len(long.Parts)-1 {
		t.Fatalf("edit = %+v of %d parts", edit, len(long.Parts))
	}
}

func TestInterruptedMessageIsCompleted(t *testing.T) {
	body := strings.Repeat("word ", 10_000)
	for arrived := 1; arrived < len(convert(t, body).Parts); arrived++ {
		rows := stored(convert(t, body).Parts[:arrived]...)
		edit := portal.Complete(rows, convert(t, body))
		if edit == nil || len(edit.ModifiedParts) != 0 || edit.AddedParts == nil {
			t.Fatalf("%d parts arrived: edit = %+v", arrived, edit)
		}
		if missing := edit.AddedParts.Parts; len(missing) != len(convert(t, body).Parts)-arrived || missing[0].ID != convert(t, body).Parts[arrived].ID {
			t.Errorf("%d parts arrived, %d are added from %q on", arrived, len(missing), missing[0].ID)
		}
	}
	if edit := portal.Complete(stored(convert(t, body).Parts...), convert(t, body)); edit != nil {
		t.Errorf("all arrived: edit = %+v, want nil", edit)
	}
}

func TestRowsWithoutOurMetadataAreNoPlaceholders(t *testing.T) {
	for _, metadata := range []any{nil, (*portal.MessageMetadata)(nil), &portal.MessageMetadata{}, "other", portal.NewMessageMetadata()} {
		if portal.HasPlaceholder([]*database.Message{{Metadata: metadata}}) {
			t.Errorf("metadata %#v counts as a placeholder", metadata)
		}
	}
}

func TestIdentityChangedNoticeNamesTheContact(t *testing.T) {
	if got := portal.IdentityChangedNotice("Bob"); !strings.HasPrefix(got, "The security code of Bob changed.") {
		t.Errorf("notice = %q", got)
	}
}

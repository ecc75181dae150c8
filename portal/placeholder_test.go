package portal_test

import (
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

// stored returns the rows that bridgev2 keeps of the parts.
func stored(parts ...*bridgev2.ConvertedMessagePart) []*database.Message {
	var rows []*database.Message
	for _, part := range parts {
		rows = append(rows, &database.Message{ID: messageRow, PartID: part.ID, MXID: "$event", Metadata: part.DBMetadata})
	}
	return rows
}

const messageRow = "in:whatsapp-4915112345678:3EB0C431"

func convert(t *testing.T, body string) *bridgev2.ConvertedMessage {
	t.Helper()
	return convertMessage(t, text(body), nil)
}

func convertMessage(t *testing.T, message *waE2E.Message, context *portal.Context) *bridgev2.ConvertedMessage {
	t.Helper()
	converted, err := portal.ToMatrix(message, context)
	if err != nil {
		t.Fatal(err)
	}
	return converted
}

func convertPicture(t *testing.T) *bridgev2.ConvertedMessage {
	t.Helper()
	return convertMessage(t, &waE2E.Message{ImageMessage: image()}, &portal.Context{Files: []*portal.Stored{onServer("image/jpeg")}})
}

func partIDs(parts []*bridgev2.ConvertedMessagePart) []networkid.PartID {
	var ids []networkid.PartID
	for _, part := range parts {
		ids = append(ids, part.ID)
	}
	return ids
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
	edits := portal.Complete(rows, convert(t, "*real* text"))
	if len(edits) != 1 || len(edits[0].ModifiedParts) != 1 || edits[0].AddedParts != nil || edits[0].DeletedParts != nil {
		t.Fatalf("edits = %+v", edits)
	}
	if part := edits[0].ModifiedParts[0]; part.Part != rows[0] || part.Content.Body != "*real* text" || part.Content.MsgType != event.MsgText || part.Type != event.EventMessage {
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
	edits := portal.Complete(rows, long)
	if len(edits) != 1 || len(edits[0].ModifiedParts) != 1 || edits[0].AddedParts == nil || len(edits[0].AddedParts.Parts) != len(long.Parts)-1 {
		t.Fatalf("edits = %+v of %d parts", edits, len(long.Parts))
	}
}

func TestInterruptedMessageIsCompleted(t *testing.T) {
	body := strings.Repeat("word ", 10_000)
	for arrived := 1; arrived < len(convert(t, body).Parts); arrived++ {
		rows := stored(convert(t, body).Parts[:arrived]...)
		edits := portal.Complete(rows, convert(t, body))
		if len(edits) != 1 || len(edits[0].ModifiedParts) != 0 || edits[0].AddedParts == nil {
			t.Fatalf("%d parts arrived: edits = %+v", arrived, edits)
		}
		if missing := edits[0].AddedParts.Parts; len(missing) != len(convert(t, body).Parts)-arrived || missing[0].ID != convert(t, body).Parts[arrived].ID {
			t.Errorf("%d parts arrived, %d are added from %q on", arrived, len(missing), missing[0].ID)
		}
	}
	if edits := portal.Complete(stored(convert(t, body).Parts...), convert(t, body)); edits != nil {
		t.Errorf("all arrived: edits = %+v, want nil", edits)
	}
}

// TestPlaceholderOfWhatCannotBeEditedInIsFollowedByIt kills the bridge after each step: the next try does the rest.
func TestPlaceholderOfWhatCannotBeEditedInIsFollowedByIt(t *testing.T) {
	answer := func(t *testing.T) *bridgev2.ConvertedMessage {
		return convertMessage(t, text("yes"), &portal.Context{ReplyTo: messageRow})
	}
	contacts := func(t *testing.T) *bridgev2.ConvertedMessage {
		return convertMessage(t, &waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{Contacts: []*waE2E.ContactMessage{card("Eve"), card("Bob")}}},
			&portal.Context{Files: []*portal.Stored{onServer(""), onServer("")}})
	}
	for name, test := range map[string]struct {
		before *bridgev2.ConvertedMessage
		make   func(*testing.T) *bridgev2.ConvertedMessage
	}{
		"picture, undecryptable": {portal.Placeholder(), convertPicture},
		"picture, unfetched":     {portal.Unfetched(&waE2E.Message{ImageMessage: image()}, "Gone.", "!postern"), convertPicture},
		"answer":                 {portal.Placeholder(), answer},
		"two cards":              {portal.Placeholder(), contacts},
	} {
		t.Run(name, func(t *testing.T) {
			rows := stored(test.before.Parts...)
			edits := portal.Complete(rows, test.make(t))
			if len(edits) != 2 || edits[0].AddedParts == nil || edits[0].DeletedParts != nil || !slices.Equal(edits[1].DeletedParts, rows) {
				t.Fatalf("edits = %+v, want additions, then the end of the placeholder", edits)
			}
			added := edits[0].AddedParts
			if want := test.make(t); added.Parts[0].ID != "001" || len(added.Parts) != len(want.Parts) || (added.ReplyTo == nil) != (want.ReplyTo == nil) {
				t.Fatalf("added %v, answer to %v", partIDs(added.Parts), added.ReplyTo)
			}
			for done := 1; done <= len(added.Parts); done++ { // killed when some are there
				killed := append(slices.Clone(rows), stored(added.Parts[:done]...)...)
				edits = portal.Complete(killed, test.make(t))
				last := edits[len(edits)-1]
				if done < len(added.Parts) && !slices.Equal(partIDs(edits[0].AddedParts.Parts), partIDs(added.Parts[done:])) ||
					len(last.DeletedParts) != 1 || last.DeletedParts[0] != rows[0] {
					t.Errorf("%d parts there: %+v", done, edits)
				}
			}
			if edits = portal.Complete(stored(added.Parts...), test.make(t)); edits != nil { // all done
				t.Errorf("edits = %+v, want nothing to do", edits)
			}
		})
	}
}

func TestFailingAgainChangesNothing(t *testing.T) {
	unfetched := func() *bridgev2.ConvertedMessage {
		return portal.Unfetched(&waE2E.Message{ImageMessage: image()}, "Gone.", "!postern")
	}
	rows := stored(unfetched().Parts...)
	if !portal.IsUnfetched(rows) || !portal.HasPlaceholder(rows) {
		t.Error("not known as unfetched")
	}
	if edits := portal.Complete(rows, unfetched()); edits != nil {
		t.Errorf("edits = %+v", edits)
	}
	if edits := portal.Complete(stored(convertPicture(t).Parts...), unfetched()); edits != nil {
		t.Errorf("the picture is there: edits = %+v", edits)
	}
	edits := portal.Complete(stored(portal.Placeholder().Parts...), unfetched())
	if len(edits) != 1 || len(edits[0].ModifiedParts) != 1 {
		t.Fatalf("undecryptable, then unfetched: edits = %+v", edits)
	}
	if !portal.IsUnfetched([]*database.Message{edits[0].ModifiedParts[0].Part}) {
		t.Error("the row does not say that there is more to fetch")
	}
}

func TestDeletedAndEditedMessagesAreNotShownAgain(t *testing.T) {
	rows := []*database.Message{{Metadata: &portal.MessageMetadata{Deleted: true}}}
	if !portal.IsDeleted(rows) || portal.Complete(rows, convert(t, "hi")) != nil {
		t.Errorf("rows = %+v", rows[0].Metadata)
	}
	edited := &database.Message{Metadata: &portal.MessageMetadata{EditedAt: 5}}
	if edits := portal.Complete([]*database.Message{edited}, convert(t, strings.Repeat("word ", 10_000))); edits != nil {
		t.Errorf("edits = %+v", edits)
	}
}

func TestUnfetchedSaysWhatIsMissing(t *testing.T) {
	document := &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		FileName: proto.String("../plan\u202efdp.exe"), Caption: proto.String("the *plan*" + strings.Repeat("x", 70_000)),
	}}}}
	parts := portal.Unfetched(document, "The file is damaged.", "!postern").Parts
	if len(parts) != 1 {
		t.Fatalf("%d parts", len(parts))
	}
	body := parts[0].Content.Body
	for _, want := range []string{"Sent a file named planfdp.exe", "The file is damaged.", "the *plan*", "`!postern retry`", portal.RetryEmoji} {
		if !strings.Contains(body, want) {
			t.Errorf("%.300q lacks %q", body, want)
		}
	}
	if body = portal.Unfetched(document, "x", "").Parts[0].Content.Body; strings.Contains(body, "try again") {
		t.Errorf("no other try was offered: %.300q", body)
	}
}

func TestRowsWithoutOurMetadataAreNoPlaceholders(t *testing.T) {
	for _, metadata := range []any{nil, (*portal.MessageMetadata)(nil), &portal.MessageMetadata{}, "other", portal.NewMessageMetadata()} {
		rows := []*database.Message{{Metadata: metadata}}
		if portal.HasPlaceholder(rows) || portal.IsUnfetched(rows) || portal.IsDeleted(rows) {
			t.Errorf("metadata %#v counts as a placeholder", metadata)
		}
	}
}

func TestIdentityChangedNoticeNamesTheContact(t *testing.T) {
	if got := portal.IdentityChangedNotice(portal.IdentityChange{Name: "Bob"}); !strings.HasPrefix(got, "The security code of Bob changed.") {
		t.Errorf("notice = %q", got)
	}
}

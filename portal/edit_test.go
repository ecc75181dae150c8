package portal_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

func edit(at int64, edited *waE2E.Message) *portal.Action {
	return &portal.Action{Kind: portal.ActionEdit, Target: "3EB0C431", Direction: portal.FromContact, Edited: edited, At: time.UnixMilli(at)}
}

// apply does with the rows what bridgev2 does.
func apply(rows []*database.Message, edit *bridgev2.ConvertedEdit) []*database.Message {
	rows = slices.DeleteFunc(slices.Clone(rows), func(row *database.Message) bool { return slices.Contains(edit.DeletedParts, row) })
	if edit.AddedParts != nil {
		rows = append(rows, stored(edit.AddedParts.Parts...)...)
	}
	return rows
}

func mustEdit(t *testing.T, action *portal.Action, rows []*database.Message, original *event.MessageEventContent) *bridgev2.ConvertedEdit {
	t.Helper()
	converted, err := portal.ToMatrixEdit(action, rows, original, nil)
	if err != nil {
		t.Fatal(err)
	}
	return converted
}

func TestEditOfATextChangesItOnce(t *testing.T) {
	rows := stored(convert(t, "old").Parts...)
	converted := mustEdit(t, edit(5000, text("*new*")), rows, nil)
	if len(converted.ModifiedParts) != 1 || converted.AddedParts != nil || converted.DeletedParts != nil || converted.ModifiedParts[0].Content.FormattedBody != "<strong>new</strong>" {
		t.Fatalf("edit = %+v", converted)
	}
	for name, at := range map[string]int64{"again": 5000, "older": 4999} {
		if again, err := portal.ToMatrixEdit(edit(at, text("x")), rows, nil, nil); !errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) {
			t.Errorf("%s: %+v, %v", name, again, err)
		}
	}
	if newer := mustEdit(t, edit(5001, text("newest")), rows, nil); newer.ModifiedParts[0].Content.Body != "newest" {
		t.Errorf("edit = %+v", newer)
	}
	if timeless := mustEdit(t, &portal.Action{Kind: portal.ActionEdit, Edited: text("when?")}, rows, nil); timeless.ModifiedParts[0].Content.Body != "when?" {
		t.Errorf("edit = %+v", timeless)
	}
}

// TestEditChangesTheNumberOfParts shortens a text and makes it long again. No part id is used twice: a homeserver would take
// the second for the first, which is deleted.
func TestEditChangesTheNumberOfParts(t *testing.T) {
	long := strings.Repeat("word ", 10_000)
	rows := stored(convert(t, long).Parts...)
	used := map[networkid.PartID]bool{}
	for _, row := range rows {
		used[row.PartID] = true
	}
	whole := len(rows)
	shortened := mustEdit(t, edit(1, text("short")), rows, nil)
	if len(shortened.ModifiedParts) != 1 || len(shortened.DeletedParts) != whole-1 {
		t.Fatalf("edit = %+v", shortened)
	}
	rows = apply(rows, shortened)
	longer := mustEdit(t, edit(2, text(long)), rows, nil)
	if len(longer.ModifiedParts) != 1 || len(longer.AddedParts.Parts) != whole-1 {
		t.Fatalf("edit = %+v", longer)
	}
	for _, id := range partIDs(longer.AddedParts.Parts) {
		if used[id] {
			t.Errorf("the id %q is used again", id)
		}
	}
	ids := partIDs(longer.AddedParts.Parts)
	if !slices.IsSorted(ids) || ids[0] <= rows[0].PartID {
		t.Errorf("ids %q do not sort", ids)
	}
	// Killed after the first of the added parts.
	killed := append(slices.Clone(rows), stored(longer.AddedParts.Parts[0])...)
	if rest := mustEdit(t, edit(2, text(long)), killed, nil); rest.ModifiedParts != nil || !slices.Equal(partIDs(rest.AddedParts.Parts), ids[1:]) {
		t.Errorf("the rest is %+v, want %q", rest, ids[1:])
	}
}

func TestEditComesBeforeItsMessage(t *testing.T) {
	rows := stored(portal.Placeholder().Parts...)
	mustEdit(t, edit(5, text("new")), rows, nil)
	if portal.HasPlaceholder(rows) {
		t.Error("still a placeholder")
	}
	if edits := portal.Complete(rows, convert(t, "old")); edits != nil {
		t.Errorf("the old text would be shown: %+v", edits)
	}
	deleted := []*database.Message{{Metadata: &portal.MessageMetadata{Deleted: true}}}
	if _, err := portal.ToMatrixEdit(edit(5, text("new")), deleted, nil, nil); !errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) {
		t.Errorf("edit of a deleted message: %v", err)
	}
}

func TestEditOfACaptionKeepsTheFile(t *testing.T) {
	shown := convertPicture(t)
	rows := stored(shown.Parts...)
	original := *shown.Parts[0].Content
	original.RelatesTo = &event.RelatesTo{InReplyTo: &event.InReplyTo{EventID: "$x"}}
	changed := image()
	changed.Caption = proto.String("_new_")
	for name, edited := range map[string]*waE2E.Message{"picture": {ImageMessage: changed}, "text": text("_new_")} {
		converted := mustEdit(t, edit(5, edited), stored(convertPicture(t).Parts...), &original)
		if len(converted.ModifiedParts) != 1 {
			t.Fatalf("%s: edit = %+v", name, converted)
		}
		content := converted.ModifiedParts[0].Content
		if content.File == nil || content.MsgType != event.MsgImage || content.Body != "_new_" || content.FormattedBody != "<em>new</em>" || content.FileName != "image.jpg" || content.RelatesTo != nil {
			t.Errorf("%s: content = %+v", name, content)
		}
		if metadata := converted.ModifiedParts[0].Part.Metadata.(*portal.MessageMetadata); !metadata.Media || metadata.EditedAt != 5 {
			t.Errorf("%s: metadata = %+v", name, metadata)
		}
		content.SetEdit("$event")
		if data, err := json.Marshal(content); err != nil || len(data) > largestContent {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	removed := mustEdit(t, edit(6, &waE2E.Message{ImageMessage: image()}), rows, &original)
	if content := removed.ModifiedParts[0].Content; content.Body != "image.jpg" || content.FormattedBody != "" {
		t.Errorf("content = %+v", content)
	}
}

func TestEditThatCannotBeMadeIsTold(t *testing.T) {
	changed := image()
	changed.Caption = proto.String("new")
	unfetched := func() []*database.Message {
		return stored(portal.Unfetched(&waE2E.Message{ImageMessage: image()}, "Gone.", "").Parts...)
	}
	for name, test := range map[string]struct {
		rows   []*database.Message
		edited *waE2E.Message
		want   string
	}{
		"original lost": {stored(convertPicture(t).Parts...), &waE2E.Message{ImageMessage: changed}, "Changed the caption of a file to:\nnew"},
		"unfetched":     {unfetched(), &waE2E.Message{ImageMessage: changed}, "Changed the caption of a file to:\nnew"},
		"caption gone":  {unfetched(), &waE2E.Message{ImageMessage: image()}, "Removed the caption of a file."},
		"other kind":    {stored(convert(t, "x").Parts...), &waE2E.Message{PollCreationMessage: &waE2E.PollCreationMessage{}}, "in a way that cannot be shown here"},
	} {
		converted := mustEdit(t, edit(5, test.edited), test.rows, nil)
		if converted.ModifiedParts != nil || converted.AddedParts == nil || len(converted.AddedParts.Parts) != 1 {
			t.Fatalf("%s: edit = %+v", name, converted)
		}
		if body := converted.AddedParts.Parts[0].Content.Body; !strings.Contains(body, test.want) || converted.AddedParts.ReplyTo.MessageID != messageRow {
			t.Errorf("%s: %q", name, body)
		}
		rows := apply(test.rows, converted)
		if _, err := portal.ToMatrixEdit(edit(5, test.edited), rows, nil, nil); !errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) {
			t.Errorf("%s: told twice: %v", name, err)
		}
		if name == "unfetched" && len(portal.Complete(rows, convertPicture(t))) != 2 {
			t.Error("the file cannot be fetched any more")
		}
	}
}

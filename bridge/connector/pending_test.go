package connector_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"
)

// TestWhatIsNotErasedYetIsListed from the wish to the end.
func TestWhatIsNotErasedYetIsListed(t *testing.T) {
	i, ctx := enlisted(t), context.Background()
	look := func(words ...string) {
		t.Helper()
		for _, user := range []string{"", string(alice)} {
			pending, err := i.network.StillPending(ctx, id.UserID(user))
			if err != nil {
				t.Fatal(err)
			}
			if len(words) == 0 {
				if len(pending) != 0 {
					t.Errorf("of %q is listed %+v", user, pending)
				}
				continue
			}
			if len(pending) != 1 || pending[0].User != alice {
				t.Fatalf("of %q is listed %+v", user, pending)
			}
			for _, word := range words {
				if said := pending[0].Sentence(time.Now()); !strings.Contains(said, word) {
					t.Errorf("%q does not say %q", said, word)
				}
			}
		}
		if pending, err := i.network.StillPending(ctx, "@nobody:example.org"); err != nil || len(pending) != 0 {
			t.Errorf("of nobody is listed %+v, %v", pending, err)
		}
	}
	look()
	enlistment, table := i.enlistment(), i.network.AllEnlistments()
	if err := table.MarkLeaving(ctx, enlistment.Account); err != nil {
		t.Fatal(err)
	}
	look("Some Messenger has not confirmed", "keys stay", "not all chats", "being tried now")
	at := time.Now().Add(5 * time.Minute)
	if err := i.network.NoteNextTry(ctx, enlistment.Account, at); err != nil {
		t.Fatal(err)
	}
	look("tried again at " + at.UTC().Format("15:04 UTC on 2 January 2006"))
	if err := table.MarkTold(ctx, enlistment.Account); err != nil {
		t.Fatal(err)
	}
	look("not all chats")
	if err := i.network.LeaveOnce(ctx, enlistment); err != nil {
		t.Fatal(err)
	}
	look()
	if left, err := i.network.HasNextTry(ctx, enlistment.Account); err != nil || left {
		t.Errorf("when it is tried next is still stored, %v", err)
	}
}

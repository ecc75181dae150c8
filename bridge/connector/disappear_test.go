package connector_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/portal"
)

const expiryRoom = id.RoomID("!expiry:example.org")

// expiringChat is an installation with a chat in which messages disappear at once.
func expiringChat(t *testing.T) *installation {
	t.Helper()
	i := install(t)
	ctx := context.Background()
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	chat, err := i.network.Bridge().GetPortalByKey(ctx, portal.Key(login, "wa-4915112345678"))
	if err != nil {
		t.Fatal(err)
	}
	chat.MXID = expiryRoom
	chat.Disappear = mxdatabase.DisappearingSetting{Type: event.DisappearingTypeAfterSend, Timer: time.Minute}
	if err = chat.Save(ctx); err != nil {
		t.Fatal(err)
	}
	return i
}

// note has a message disappear a minute after the time.
func (i *installation) note(message id.EventID, at time.Time) {
	i.t.Helper()
	chat, err := i.network.Bridge().GetPortalByKey(context.Background(), portal.Key(login, "wa-4915112345678"))
	if err != nil {
		i.t.Fatal(err)
	}
	i.network.NoteExpiry(chat, &mxdatabase.Message{MXID: message, Timestamp: at})
}

// left returns the messages that are still to disappear.
func (i *installation) left() (messages []id.EventID) {
	i.t.Helper()
	rows, err := i.network.Bridge().DB.DisappearingMessage.GetUpcoming(context.Background(), 24*time.Hour, 10)
	if err != nil {
		i.t.Fatal(err)
	}
	for _, row := range rows {
		messages = append(messages, row.EventID)
	}
	return messages
}

func TestMessagesAreDeletedWhenTheirTimeIsOver(t *testing.T) {
	i := expiringChat(t)
	i.note("$old", time.Now().Add(-time.Hour))
	i.note("$older", time.Now().Add(-2*time.Hour))
	i.note("$new", time.Now())
	var deleted []id.EventID
	wait, err := i.network.DeleteDue(func(_ context.Context, room id.RoomID, message id.EventID) error {
		if room != expiryRoom {
			t.Errorf("deleted in %s", room)
		}
		deleted = append(deleted, message)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(deleted, []id.EventID{"$older", "$old"}) || !slices.Equal(i.left(), []id.EventID{"$new"}) {
		t.Errorf("deleted %v, left %v", deleted, i.left())
	}
	if wait <= 0 || wait > time.Minute {
		t.Errorf("looks again after %s", wait)
	}
}

func TestADeletionThatTheHomeserverDoesNotTakeIsTriedAgain(t *testing.T) {
	i := expiringChat(t)
	i.note("$a", time.Now().Add(-time.Hour))
	away := errors.New("connection refused")
	if _, err := i.network.DeleteDue(func(context.Context, id.RoomID, id.EventID) error { return away }); !errors.Is(err, away) {
		t.Errorf("error %v", err)
	}
	if left := i.left(); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	// One that it refuses for good, because the room is gone, must not hold up the others.
	i.note("$b", time.Now().Add(-time.Hour))
	if _, err := i.network.DeleteDue(func(context.Context, id.RoomID, id.EventID) error { return answered(403, "M_FORBIDDEN") }); err != nil {
		t.Error(err)
	}
	if left := i.left(); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

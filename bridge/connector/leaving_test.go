package connector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/database"
	"postern/portal"
)

const (
	contact  = networkid.UserID("wa-4915112345678")
	chatRoom = id.RoomID("!chat:example.org")
)

// enlisted is an installation where alice has a chat with a message.
func enlisted(t *testing.T, change ...func(*config.Config)) *installation {
	t.Helper()
	i := install(t, change...)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.addChat()
	return i
}

func (i *installation) addChat() {
	i.t.Helper()
	ctx, db := context.Background(), i.network.Tables()
	own, err := portal.OwnUserID(login)
	if err != nil {
		i.t.Fatal(err)
	}
	for _, ghost := range []networkid.UserID{contact, own} {
		row := &mxdatabase.Ghost{ID: ghost, Name: "Bob", Identifiers: []string{"tel:+4915112345678"}, Metadata: map[string]any{}}
		if err = db.Ghost.Insert(ctx, row); err != nil {
			i.t.Fatal(err)
		}
	}
	key := portal.Key(login, contact)
	if err = db.Portal.Insert(ctx, &mxdatabase.Portal{PortalKey: key, MXID: chatRoom, OtherUserID: contact, Metadata: map[string]any{}}); err != nil {
		i.t.Fatal(err)
	}
	for message, sender := range map[networkid.MessageID]networkid.UserID{"in:wa-4915112345678:A": contact, "out:wa-4915112345678:B": own} {
		err = db.Message.Insert(ctx, &mxdatabase.Message{
			ID: message, MXID: id.EventID("$" + message), Room: key, SenderID: sender, SenderMXID: alice, Timestamp: time.Now(), Metadata: map[string]any{},
		})
		if err != nil {
			i.t.Fatal(err)
		}
	}
}

// enlistment returns alice's.
func (i *installation) enlistment() *database.Enlistment {
	i.t.Helper()
	enlistment, err := i.network.AllEnlistments().Find(context.Background(), wa, string(alice))
	if err != nil {
		i.t.Fatal(err)
	}
	return enlistment
}

// rows counts the rows that are about alice's chats.
func (i *installation) rows() map[string]int {
	i.t.Helper()
	left := make(map[string]int)
	for _, table := range []string{"portal", "message", "ghost", "user_login"} {
		var count int
		err := i.network.Tables().QueryRow(context.Background(), "SELECT COUNT(*) FROM "+table).Scan(&count)
		if err != nil {
			i.t.Fatal(err)
		}
		if count > 0 {
			left[table] = count
		}
	}
	return left
}

// TestNextStartFinishesLeavingFromEachStep stops a farewell after each step that is stored, as a kill does, and starts anew.
func TestNextStartFinishesLeavingFromEachStep(t *testing.T) {
	mark := func(i *installation) error {
		return i.network.AllEnlistments().MarkLeaving(context.Background(), i.enlistment().Account)
	}
	told := func(i *installation) error {
		return i.network.AllEnlistments().MarkTold(context.Background(), i.enlistment().Account)
	}
	chats := func(i *installation) error {
		return i.network.Tables().Portal.Delete(context.Background(), portal.Key(login, contact))
	}
	loginRow := func(i *installation) error { return i.network.Tables().UserLogin.Delete(context.Background(), login) }
	sessions := func(i *installation) error {
		return i.network.AllEnlistments().EraseChats(context.Background(), i.enlistment().Account)
	}
	steps := []struct {
		name string
		do   func(*installation) error
	}{
		{"marked", mark}, {"the gatekeeper knows", told}, {"chats gone", chats}, {"login gone", loginRow}, {"sessions gone", sessions},
	}
	for done := 2; done <= len(steps); done++ {
		t.Run(steps[done-1].name, func(t *testing.T) {
			i := enlisted(t)
			for _, step := range steps[:done] {
				if err := step.do(i); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
			}
			i.restart()
			i.network.Resume(context.Background())
			i.network.WaitForWork()
			if i.state() != "" || i.network.Client(login) != nil {
				t.Errorf("state %q", i.state())
			}
			i.restart()
			if err := i.network.EraseUnusedContacts(context.Background()); err != nil {
				t.Fatal(err)
			}
			if left := i.rows(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestChatsAreErasedWhileTheGatekeeperIsAway: only the keys wait until it knows.
func TestChatsAreErasedWhileTheGatekeeperIsAway(t *testing.T) {
	i := enlisted(t)
	enlistment := i.enlistment()
	if err := i.network.AllEnlistments().MarkLeaving(context.Background(), enlistment.Account); err != nil {
		t.Fatal(err)
	}
	i.restart()
	err := i.network.LeaveOnce(context.Background(), enlistment)
	if err == nil || !strings.Contains(err.Error(), "tell the gatekeeper") {
		t.Fatalf("error %v", err)
	}
	if kept := i.enlistment(); kept.State != database.Leaving || kept.Told || kept.Keys.Noise != enlistment.Keys.Noise {
		t.Errorf("the enlistment is %s, told %v", kept.State, kept.Told)
	}
	if left := i.rows(); left["portal"]+left["message"]+left["user_login"] > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestUnfinishedEnlistmentIsUndone: the gatekeeper may know a user whose account we never heard of.
func TestUnfinishedEnlistmentIsUndone(t *testing.T) {
	i := install(t)
	i.server.Say(502, "")
	if _, err := i.answer("yes"); err == nil {
		t.Fatal("no error")
	}
	enlistment := i.enlistment()
	if err := i.network.AllEnlistments().MarkLeaving(context.Background(), enlistment.Account); err != nil {
		t.Fatal(err)
	}
	if err := i.network.LeaveOnce(context.Background(), enlistment); err == nil || i.state() != database.Leaving {
		t.Errorf("without an answer: %v, state %q", err, i.state())
	}
	i.server.Say(200, `{"status":"fail","reason":"bad_identifier"}`)
	if err := i.network.LeaveOnce(context.Background(), enlistment); err != nil || i.state() != "" {
		t.Errorf("a user whom the gatekeeper does not know: %v, state %q", err, i.state())
	}
}

func TestWhoEnlistsAgainWhileLeavingGetsNewKeysAndNoOldChats(t *testing.T) {
	i := enlisted(t)
	before := i.enlistment()
	if err := i.network.AllEnlistments().MarkLeaving(context.Background(), before.Account); err != nil {
		t.Fatal(err)
	}
	i.restart()
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	if after := i.enlistment(); after.State != database.Enlisted || after.Keys.Identity == before.Keys.Identity {
		t.Errorf("state %s", after.State)
	}
	if left := i.rows(); left["portal"]+left["message"] > 0 {
		t.Errorf("left: %v", left)
	}
	if err := i.network.LeaveOnce(context.Background(), before); !errors.Is(err, connector.ErrSuperseded) {
		t.Errorf("the farewell goes on: %v", err)
	}
}

package e2e_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the gatekeeper's database
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/record"
	"postern/testbed/stack"
)

// blocklist is what the gatekeeper has for a partner's user, read from its database: there is no other way that does not go
// through the bridge.
type blocklist struct {
	database *sql.DB
	account  string
}

func blocklistOf(t *testing.T, ctx context.Context, s *stack.Stack, user *bridgeUser) *blocklist {
	t.Helper()
	database := must(sql.Open("sqlite3", "file:"+filepath.Join(s.Dir("gatekeeper"), "gatekeeper.db")+"?_busy_timeout=10000"))(t)
	t.Cleanup(func() { _ = database.Close() })
	return &blocklist{database: database, account: must(s.Gatekeeper.Account(ctx, user.ID().String()))(t).JID}
}

func (b *blocklist) has(t *testing.T, ctx context.Context, contact *stack.Contact) (listed bool) {
	t.Helper()
	err := b.database.QueryRowContext(ctx, "SELECT COUNT(*) > 0 FROM blocked WHERE account = $1 AND contact = $2", b.account, contact.JID.String()).Scan(&listed)
	if err != nil {
		t.Fatal(err)
	}
	return listed
}

// waits returns when the contact is on the list, or not.
func (b *blocklist) waits(t *testing.T, ctx context.Context, contact *stack.Contact, listed bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for b.has(t, ctx, contact) != listed {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s on the gatekeeper's blocklist does not become %t", contact.Name, listed)
		}
	}
}

// change edits the list as another program of the user's would. The gatekeeper must be stopped.
func (b *blocklist) change(t *testing.T, ctx context.Context, contact *stack.Contact, listed bool) {
	t.Helper()
	query := "DELETE FROM blocked WHERE account = $1 AND contact = $2"
	if listed {
		query = "INSERT INTO blocked (account, contact) VALUES ($1, $2)"
	}
	if _, err := b.database.ExecContext(ctx, query, b.account, contact.JID.String()); err != nil {
		t.Fatal(err)
	}
}

// learnt tells whether a phone got any receipt or typing after the mark.
func learnt(contact *stack.Contact, mark record.Mark) bool {
	return slices.ContainsFunc(contact.Device().Since(mark), func(evt any) bool {
		switch evt.(type) {
		case *events.Receipt, *events.ChatPresence:
			return true
		default:
			return false
		}
	})
}

// never fails the test if the user has seen a message with the words.
func (u *bridgeUser) never(t *testing.T, words string) {
	t.Helper()
	if slices.ContainsFunc(u.Since(0), matrixuser.MessageIn("", "", words)) {
		t.Errorf("the user sees a message with %s", words)
	}
}

func TestABlockedContactIsKeptAwayAndLearnsNothing(t *testing.T) {
	ctx, s := shared(t)
	alice, bob, carol := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1), newContact(t, ctx, s, "Carol", 1)
	room := chatted(t, ctx, s, alice, bob)
	chatted(t, ctx, s, alice, carol)
	list := blocklistOf(t, ctx, s, alice)
	alice.asks(t, ctx, room, "block", "Blocked.")
	if !list.has(t, ctx, bob) {
		t.Error("the gatekeeper was not told")
	}
	mark := bob.Device().Mark()
	silent := unique("silent")
	tells(t, ctx, bob, alice, silent)
	refused := alice.writes(t, ctx, room, unique("to-bob"))
	alice.isTold(t, ctx, room, refused, "You blocked this contact")
	if err := alice.Typing(ctx, room, true); err != nil {
		t.Fatal(err)
	}
	after := unique("after")
	tells(t, ctx, carol, alice, after)
	alice.receives(t, ctx, after)
	alice.never(t, silent)
	alice.command(t, ctx, "blocks", bob.Phone)
	if learnt(bob, mark) {
		t.Error("the contact learns something")
	}

	alice.asks(t, ctx, room, "unblock", "Unblocked.")
	alice.asks(t, ctx, room, "unblock", "did not block")
	list.waits(t, ctx, bob, false)
	again := unique("again")
	tells(t, ctx, bob, alice, again)
	if evt := alice.receives(t, ctx, again); evt.RoomID != room {
		t.Errorf("it came into %s", evt.RoomID)
	}
	heard := unique("heard")
	alice.writes(t, ctx, room, heard)
	hears(t, ctx, bob, heard)
	alice.never(t, silent)
}

func TestBlockByNumberAndByMatrixID(t *testing.T) {
	ctx, s := shared(t)
	alice, bob, carol := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1), newContact(t, ctx, s, "Carol", 1)
	list := blocklistOf(t, ctx, s, alice)
	alice.command(t, ctx, "block "+bob.Phone, "Blocked.") // who never wrote
	list.waits(t, ctx, bob, true)
	hello := unique("hello")
	tells(t, ctx, carol, alice, hello)
	ghost := alice.receives(t, ctx, hello).Sender
	alice.command(t, ctx, "block "+ghost.String(), "Blocked.")
	list.waits(t, ctx, carol, true)
	alice.command(t, ctx, "block @nobody:example.org", "not the Matrix ID of somebody")
	alice.command(t, ctx, "block", "say who is meant")
}

// TestABlockThatTheGatekeeperDidNotHearOf: the bridge is killed between its note and the gatekeeper, and the gatekeeper delivers
// what came meanwhile. It is dropped without a word, and the gatekeeper is told then.
func TestABlockThatTheGatekeeperDidNotHearOf(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob, carol := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1), newContact(t, ctx, s, "Carol", 1)
	room := chatted(t, ctx, s, alice, bob)
	chatted(t, ctx, s, alice, carol)
	list := blocklistOf(t, ctx, s, alice)
	if err := s.Gatekeeper.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	alice.asks(t, ctx, room, "block", "could not be told yet")
	s.Bridge.Kill()
	if err := s.Gatekeeper.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for _, contact := range []*stack.Contact{bob, carol} {
		if err := contact.Device().WaitOnline(ctx); err != nil {
			t.Fatal(err)
		}
	}
	mark := bob.Device().Mark()
	late, after := unique("late"), unique("after")
	tells(t, ctx, bob, alice, late) // waits in the mailbox
	if list.has(t, ctx, bob) {
		t.Fatal("the gatekeeper was told")
	}
	sent := tells(t, ctx, carol, alice, after)
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	list.waits(t, ctx, bob, true)
	alice.receives(t, ctx, after)
	if err := carol.Device().WaitReceipt(ctx, sent, types.ReceiptTypeDelivered); err != nil {
		t.Fatal(err)
	}
	alice.never(t, late)
	if learnt(bob, mark) {
		t.Error("the contact learns something")
	}
}

// TestBlocklistsThatDifferOnBothSides after an outage: whichever side changed is right.
func TestBlocklistsThatDifferOnBothSides(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice := newEnlisted(t, ctx, s, "alice")
	bob, carol := newContact(t, ctx, s, "Bob", 1), newContact(t, ctx, s, "Carol", 1)
	dave, erin := newContact(t, ctx, s, "Dave", 1), newContact(t, ctx, s, "Erin", 1)
	room := chatted(t, ctx, s, alice, bob)
	daves := alice.startChat(t, ctx, dave.Phone)
	list := blocklistOf(t, ctx, s, alice)
	alice.command(t, ctx, "block "+bob.Phone, "Blocked.")
	alice.command(t, ctx, "block "+erin.Phone, "Blocked.")
	list.waits(t, ctx, erin, true)
	if err := s.Gatekeeper.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	list.change(t, ctx, bob, false)  // unblocked there
	list.change(t, ctx, carol, true) // blocked there
	alice.asks(t, ctx, daves, "block", "could not be told yet")
	alice.command(t, ctx, "unblock "+erin.Phone, "could not be told yet")
	if err := s.Gatekeeper.Start(ctx); err != nil {
		t.Fatal(err)
	}
	list.waits(t, ctx, dave, true)
	list.waits(t, ctx, erin, false)
	if err := bob.Device().WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	again := unique("again")
	tells(t, ctx, bob, alice, again)
	if evt := alice.receives(t, ctx, again); evt.RoomID != room {
		t.Errorf("it came into %s", evt.RoomID)
	}
	answer := must(alice.Command(ctx, "blocks", carol.Phone))(t)
	if !matrixuser.MessageIn("", "", "You blocked 2")(answer) || !matrixuser.MessageIn("", "", dave.Phone)(answer) {
		t.Errorf("the bot says %q", answer.Content.AsMessage().Body)
	}
	for _, contact := range []*stack.Contact{carol, dave} {
		if !list.has(t, ctx, contact) {
			t.Errorf("%s is not on the gatekeeper's list", contact.Name)
		}
	}
}

// TestAContactBlocksTheUser with their own app: the user's messages do not arrive, and nothing tells.
func TestAContactBlocksTheUser(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	must(bob.Device().Client.UpdateBlocklist(ctx, alice.Address, events.BlocklistChangeActionBlock))(t)
	list := must(bob.Device().Client.GetBlocklist(ctx))(t)
	if len(list.JIDs) != 1 {
		t.Errorf("the contact's list is %v", list.JIDs)
	}
	unheard := unique("unheard")
	sent := alice.writes(t, ctx, room, unheard)
	alice.sees(t, ctx, "success", matrixuser.StatusOf(sent, event.MessageStatusSuccess))
	must(bob.Device().Client.UpdateBlocklist(ctx, alice.Address, events.BlocklistChangeActionUnblock))(t)
	heard := unique("heard")
	alice.writes(t, ctx, room, heard)
	hears(t, ctx, bob, heard)
	for _, message := range bob.Device().Messages() {
		if message.Message.GetConversation() == unheard {
			t.Error("a message arrives that was sent while the user was blocked")
		}
	}
}

// TestABlockThatRacesWithMessages: what was on its way when the user blocked may still appear before the bot says that it is
// done, and nothing after that.
func TestABlockThatRacesWithMessages(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	const messages = 60
	word := unique("flood")
	var group errgroup.Group
	group.Go(func() error {
		for range messages {
			if _, err := bob.Device().SendText(ctx, alice.Address, word); err != nil {
				return err
			}
		}
		return nil
	})
	alice.receives(t, ctx, word)
	alice.asks(t, ctx, room, "block", "Blocked.")
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	alice.asks(t, ctx, room, "unblock", "Unblocked.")
	again := unique("again")
	tells(t, ctx, bob, alice, again)
	alice.receives(t, ctx, again) // what came before it is here, too
	before, after, done := 0, 0, false
	for _, evt := range alice.Since(0) {
		switch {
		case matrixuser.MessageIn(room, s.Bot(), "Blocked.")(evt):
			done = true
		case matrixuser.MessageIn(room, "", word)(evt) && done:
			after++
		case matrixuser.MessageIn(room, "", word)(evt):
			before++
		}
	}
	t.Logf("%d of %d messages appeared before the block", before, messages)
	if after > 0 {
		t.Errorf("%d messages appeared after the bot said that the contact is blocked", after)
	}
}

// TestIgnoringAContactBlocksThem: the list is read in the user's name when something happens in a chat, or when they ask.
func TestIgnoringAContactBlocksThem(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	hello := unique("hello")
	tells(t, ctx, bob, alice, hello)
	ghost := alice.receives(t, ctx, hello).Sender
	list := blocklistOf(t, ctx, s, alice)
	ignores := func(users ...id.UserID) {
		content := event.IgnoredUserListEventContent{IgnoredUsers: make(map[id.UserID]event.IgnoredUser)}
		for _, user := range users {
			content.IgnoredUsers[user] = event.IgnoredUser{}
		}
		if err := alice.Client.SetAccountData(ctx, event.AccountDataIgnoredUserList.Type, &content); err != nil {
			t.Fatal(err)
		}
	}
	ignores(ghost, "@somebody:example.org")
	alice.command(t, ctx, "blocks", bob.Phone)
	list.waits(t, ctx, bob, true)
	ignores()
	alice.command(t, ctx, "blocks", "blocked nobody")
	list.waits(t, ctx, bob, false)
	again := unique("again")
	tells(t, ctx, bob, alice, again)
	alice.receives(t, ctx, again)
}

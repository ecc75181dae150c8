package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/jsuser"
	"postern/testbed/matrixuser"
	"postern/testbed/record"
	"postern/testbed/stack"
)

// elementUser is a Matrix user whose app is made of what Element is made of. Its verbs fail the test.
type elementUser struct {
	*stack.ElementUser
	stack *stack.Stack
	since record.Mark // what came before it is the bot's introduction
}

// newElementUser registers a Matrix user of Element, who enlists by talking to the bot.
func newElementUser(t *testing.T, ctx context.Context, s *stack.Stack, name string, excludeInsecure bool) *elementUser {
	t.Helper()
	user := must(s.NewElementUser(ctx, unique(name), excludeInsecure))(t)
	if err := user.Enlist(ctx); err != nil {
		t.Fatal(err)
	}
	alice := &elementUser{ElementUser: user, stack: s, since: user.Mark()}
	for excludeInsecure && !isReadable(must(user.Look(ctx, user.Management))(t)) {
		alice.since = alice.restarts(t, ctx) // as in meets
	}
	return alice
}

// unsigned is what Element calls the device of someone whose keys it does not know yet.
const unsigned = "UNSIGNED_SENDER_DEVICE"

func isReadable(sights []*jsuser.Sight) bool {
	return !slices.ContainsFunc(sights, func(sight *jsuser.Sight) bool { return sight.Failure == unsigned })
}

// startChat begins a chat by phone number, in which the user writes first. To write, the app fetches the contact's keys.
func (u *elementUser) startChat(t *testing.T, ctx context.Context, contact *stack.Contact) id.RoomID {
	t.Helper()
	room := must(u.StartChat(ctx, contact.Phone))(t)
	u.writes(t, ctx, room, contact, unique("hello"))
	return room
}

// writes lets the user write to the contact.
func (u *elementUser) writes(t *testing.T, ctx context.Context, room id.RoomID, contact *stack.Contact, text string) {
	t.Helper()
	must(u.SendText(ctx, room, text))(t)
	hears(t, ctx, contact, text)
}

// isWritten lets the contact write something to the user, who reads it.
func (u *elementUser) isWritten(t *testing.T, ctx context.Context, contact *stack.Contact) *event.Event {
	t.Helper()
	text := unique("text")
	must(contact.Device().SendText(ctx, u.Address, text))(t)
	return u.sees(t, ctx, 0, "message with "+text, matrixuser.MessageIn("", "", text))
}

// sees waits for an event after the mark. It does not wait as long as the test may take: what cannot be read never matches.
func (u *elementUser) sees(
	t *testing.T, ctx context.Context, mark record.Mark, what string, match func(*event.Event) bool,
) *event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return must(u.WaitAfter(ctx, mark, what, match))(t)
}

// restarts closes the user's app and opens it again.
func (u *elementUser) restarts(t *testing.T, ctx context.Context) record.Mark {
	t.Helper()
	mark := u.Mark()
	if err := u.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	return mark
}

// inBothModes runs a test with an app that shows messages of all devices, and with one that excludes insecure devices.
func inBothModes(t *testing.T, test func(t *testing.T, excludeInsecure bool)) {
	for name, excludeInsecure := range map[string]bool{"all devices": false, "signed devices only": true} {
		t.Run(name, func(t *testing.T) { test(t, excludeInsecure) })
	}
}

// reopens restarts the user's app in the other mode, waits for the last message of the rooms, and wants that nothing is shown beside any.
func (u *elementUser) reopens(t *testing.T, ctx context.Context, last *event.Event, rooms ...id.RoomID) {
	t.Helper()
	u.ExcludeInsecure = !u.ExcludeInsecure
	mark := u.restarts(t, ctx)
	u.sees(t, ctx, mark, "last message", func(evt *event.Event) bool { return evt.ID == last.ID })
	checkUnblemished(t, ctx, u.User, mark, rooms...)
}

// meets waits for a message of someone who came into the room just before. Element asks for the keys of those whom it sees come, and
// before it has the answer, it takes their devices for ones that are not signed. If it excludes such devices, it does not try the
// message again until it is restarted, whoever in Matrix wrote it. The restart is given here.
func (u *elementUser) meets(t *testing.T, ctx context.Context, mark record.Mark, contact *stack.Contact, text string) id.RoomID {
	t.Helper()
	for {
		shown := must(u.WaitSight(ctx, mark, "first message of "+contact.Name, func(sight *jsuser.Sight) bool {
			return matrixuser.MessageIn("", "", text)(sight.Event) ||
				strings.Contains(sight.Event.Sender.String(), contact.JID.User) && sight.Failure == unsigned
		}))(t)
		if shown.Failure == "" {
			return shown.Event.RoomID
		}
		mark = u.restarts(t, ctx)
	}
}

// checkUnblemished wants that Element shows nothing beside what others wrote: no shield, nothing that cannot be read. It looks at what
// was shown at any time after the mark, since a shield that goes away was there, and at what is shown now.
func checkUnblemished(t *testing.T, ctx context.Context, app *jsuser.User, mark record.Mark, rooms ...id.RoomID) {
	t.Helper()
	for _, sight := range app.Since(mark) {
		if blemish := sight.Blemish(); blemish != "" && !wasOvertaken(sight) {
			t.Errorf("%s in %s was shown with %s", sight, sight.Event.RoomID, blemish)
		}
	}
	checkUnblemishedNow(t, ctx, app, rooms...)
}

// wasOvertaken tells of a message that its key may still come to. Dendrite brings keys and messages on different ways, and on a busy machine the
// message may be there first, though the key was sent before it; those of the user's own devices, too. What stays so is found in the end.
func wasOvertaken(sight *jsuser.Sight) bool {
	return sight.Failure == "MEGOLM_UNKNOWN_INBOUND_SESSION_ID" && homeserver.KindFromEnvironment() == homeserver.Dendrite
}

// checkUnblemishedNow is checkUnblemished without what was before.
func checkUnblemishedNow(t *testing.T, ctx context.Context, app *jsuser.User, rooms ...id.RoomID) {
	t.Helper()
	for _, room := range rooms {
		encrypted := 0
		for _, sight := range must(app.Look(ctx, room))(t) {
			if sight.Encrypted {
				encrypted++
			}
			if blemish := sight.Blemish(); blemish != "" {
				t.Errorf("%s in %s is shown with %s in the end", sight, room, blemish)
			}
		}
		if encrypted == 0 {
			t.Errorf("%s has no encrypted events", room)
		}
	}
}

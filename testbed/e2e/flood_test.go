package e2e_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// strangersVariable says how many strangers write; a thousand take some minutes, since each is a WhatsApp client of its own.
const strangersVariable = "POSTERN_STRANGERS"

// TestAFloodOfStrangers: few get an invitation, all others are in the list, and a chat goes on meanwhile.
func TestAFloodOfStrangers(t *testing.T) {
	strangers := 40
	if text := os.Getenv(strangersVariable); text != "" {
		var err error
		if strangers, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	_, s := own(t, stack.Options{LogLevel: "info"})
	ctx := within(t, limit+time.Duration(strangers)*time.Second)
	alice, bob := newChoosy(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	begin := time.Now()
	flooded := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range strangers / 4 {
				eve, err := s.NewContact(ctx, unique("Eve"), 1)
				if err == nil {
					_, err = eve.Device().SendText(ctx, alice.Address, "Buy now")
				}
				if err == nil {
					err = eve.Device().Close()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	go func() { wait.Wait(); close(flooded) }()
	var slowest time.Duration
	messages := 0
	for done := false; !done; messages++ {
		at, words := time.Now(), unique("hello")
		tells(t, ctx, bob, alice, words)
		alice.sees(t, ctx, "message", matrixuser.MessageIn(room, "", words))
		slowest = max(slowest, time.Since(at))
		select {
		case <-flooded:
			done = true
		default:
		}
	}
	alice.sees(t, ctx, "news of the flood", matrixuser.NoticeIn(alice.Management, s.Bot(), "Many people whom you do not know"))
	alice.command(t, ctx, "requests", strconv.Itoa(strangers)+" ask to write to you")
	invitations := 0
	for _, evt := range alice.Since(0) {
		content, ok := evt.Content.Parsed.(*event.RoomNameEventContent)
		if ok && evt.Mautrix.EventSource&event.SourceInvite != 0 && strings.HasPrefix(content.Name, "Eve") {
			invitations++
		}
	}
	took := time.Since(begin)
	t.Logf("%d strangers in %s: %d invitations; %d messages of a friend meanwhile, the slowest took %s", strangers, took, invitations, messages, slowest)
	if most := min(20, 6*(1+int(took/time.Minute))); invitations == 0 || invitations > most {
		t.Errorf("%d invitations, at most %d may be", invitations, most)
	}
	if slowest > patience/2 {
		t.Errorf("a message of a friend took %s", slowest)
	}
	alice.command(t, ctx, "decline all", "Declined "+strconv.Itoa(strangers))
	alice.command(t, ctx, "requests", "Nobody asks")
}

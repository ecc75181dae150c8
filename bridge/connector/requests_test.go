package connector_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/bridge/connector"
	"postern/interop"
	"postern/puppet"
)

// enlistedAlice returns alice's client. Its homeserver refuses everything, so no rooms are made for requests.
func enlistedAlice(t *testing.T) (*installation, *connector.Client) {
	t.Helper()
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	client := i.network.Client(login)
	client.WithoutRooms()
	return i, client
}

func stranger(number int) types.JID {
	return types.NewJID(fmt.Sprint(4915100000000+number), types.DefaultUserServer)
}

// says is a message from someone.
func says(from types.JID, id, text string) *interop.Message {
	return &interop.Message{
		MessageInfo: interop.MessageInfo{ID: id, Chat: from, Sender: from, PushName: "Someone", Timestamp: time.Now()},
		Message:     &waE2E.Message{Conversation: proto.String(text)},
	}
}

// TestAThousandStrangersAreListedAndHoldNobodyUp: each is one row and one sealed message, and what they send waits in no memory.
func TestAThousandStrangersAreListedAndHoldNobodyUp(t *testing.T) {
	const strangers = 1000
	_, client := enlistedAlice(t)
	ctx := context.Background()
	friend := stranger(-1)
	if err := client.Accept(ctx, friend); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	var wait sync.WaitGroup
	for n := range strangers {
		wait.Go(func() {
			if err := client.HandleEvent(ctx, says(stranger(n), "A", strings.Repeat("buy now! ", 100))); err != nil {
				t.Error(err)
			}
		})
	}
	flooded := make(chan struct{})
	go func() { wait.Wait(); close(flooded) }()
	var slowest time.Duration
	rounds := 0
	for done := false; !done; rounds++ {
		at := time.Now()
		receipt := &interop.Receipt{Chat: friend, Sender: friend, IDs: []string{"A"}, Type: interop.ReceiptDelivered}
		if err := client.HandleEvent(ctx, receipt); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(at))
		select {
		case <-flooded:
			done = true
		default:
		}
	}
	took := time.Since(begin)
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / 1024
	t.Logf("%d strangers in %s; an event of a friend took at most %s of %d; the heap grew by %d KiB", strangers, took, slowest, rounds, grown)
	if slowest > took/4 {
		t.Errorf("an event of a friend took %s while the flood took %s", slowest, took)
	}
	if grown > 4096 {
		t.Errorf("the heap grew by %d KiB", grown)
	}
	list, err := client.Requests(ctx, 30)
	if err != nil || list.Asking != strangers || len(list.Requests) != 30 {
		t.Fatalf("the list is %+v, %v", list, err)
	}
	if got := list.Requests[0].Name; !strings.HasPrefix(got, "Someone (+49 151") {
		t.Errorf("a stranger is called %q", got)
	}
	if declined, err := client.DeclineAll(ctx); err != nil || declined != strangers {
		t.Errorf("declined %d, %v", declined, err)
	}
}

func TestOnlySoManyMayAsk(t *testing.T) {
	_, client := enlistedAlice(t)
	ctx := context.Background()
	for n := range connector.MaxAsking + 3 {
		if err := client.HandleEvent(ctx, says(stranger(n), "A", "hello")); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := client.Requests(ctx, 1); err != nil || list.Asking != connector.MaxAsking {
		t.Errorf("%d ask, %v", list.Asking, err)
	}
	if request, _, err := client.RequestOf(ctx, stranger(connector.MaxAsking+1)); err != nil || request != puppet.NeverAsked {
		t.Errorf("who came too late is noted as %d, %v", request, err)
	}
}

func TestOneStrangersMessagesAreBounded(t *testing.T) {
	_, client := enlistedAlice(t)
	ctx := context.Background()
	eve := stranger(1)
	for n := range connector.KeptMessages + 7 {
		if err := client.HandleEvent(ctx, says(eve, fmt.Sprintf("M%d", n), "hello")); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.HandleEvent(ctx, says(eve, "M3", "hello")); err != nil { // comes again, counts once
		t.Fatal(err)
	}
	count, _, err := client.KeptOf(ctx, eve)
	_, missed, missedErr := client.RequestOf(ctx, eve)
	if err != nil || missedErr != nil || count != connector.KeptMessages || missed != 7 {
		t.Errorf("%d are kept, %d missed, %v, %v", count, missed, err, missedErr)
	}
	large := stranger(2)
	for n := range 5 {
		if err = client.HandleEvent(ctx, says(large, fmt.Sprint(n), strings.Repeat("x", 60_000))); err != nil {
			t.Fatal(err)
		}
	}
	if count, bytes, err := client.KeptOf(ctx, large); err != nil || count == 5 || bytes > 256<<10 {
		t.Errorf("%d messages of %d bytes are kept, %v", count, bytes, err)
	}
}

func TestWhatAStrangerDeletesIsNotKept(t *testing.T) {
	_, client := enlistedAlice(t)
	ctx := context.Background()
	eve := stranger(1)
	revoke := says(eve, "B", "")
	revoke.Message = &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: &waCommon.MessageKey{ID: proto.String("A"), FromMe: proto.Bool(true)},
	}}
	for _, evt := range []interop.Event{says(eve, "A", "secret"), revoke} {
		if err := client.HandleEvent(ctx, evt); err != nil {
			t.Fatal(err)
		}
	}
	if count, _, err := client.KeptOf(ctx, eve); err != nil || count != 0 {
		t.Errorf("%d messages are kept, %v", count, err)
	}
	if request, _, err := client.RequestOf(ctx, eve); err != nil || request != puppet.Asks {
		t.Errorf("the request is %d, %v", request, err)
	}
}

// TestAcceptingRacesWithDeclining: whoever comes first wins, and what was kept is there or gone accordingly.
func TestAcceptingRacesWithDeclining(t *testing.T) {
	i, client := enlistedAlice(t)
	ctx := context.Background()
	var accepted, declined int
	for n := range 40 {
		eve := stranger(n)
		if err := client.HandleEvent(ctx, says(eve, "A", "hello")); err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		var refused error
		wait.Go(func() {
			if err := client.AcceptRequest(ctx, eve); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() { refused = client.Decline(ctx, eve) })
		wait.Go(func() {
			if err := client.HandleEvent(ctx, says(eve, "B", "again")); err != nil && !strings.Contains(err.Error(), "M_") {
				t.Log(err) // the homeserver refuses the room of an accepted chat
			}
		})
		wait.Wait()
		request, _, err := client.RequestOf(ctx, eve)
		switch {
		case err != nil:
			t.Fatal(err)
		case request == puppet.Accepted && refused != nil:
			accepted++
		case request == puppet.Declined && refused == nil:
			declined++
		default:
			t.Errorf("the request is %d, declining said %v", request, refused)
		}
	}
	t.Logf("%d accepted, %d declined", accepted, declined)
	i.network.PrepareStop()
	for n := range 40 {
		request, _, err := client.RequestOf(ctx, stranger(n))
		count, _, keptErr := client.KeptOf(ctx, stranger(n))
		if err != nil || keptErr != nil || request == puppet.Accepted && count == 0 {
			t.Errorf("of an accepted contact %d messages are left, %v, %v", count, err, keptErr)
		}
	}
}

func TestSettingsAreStoredAndCheckEveryWord(t *testing.T) {
	i, client := enlistedAlice(t)
	ctx := context.Background()
	for _, wrong := range [][2]string{{"colour", "red"}, {"typing", "maybe"}, {"typing", ""}, {"", "on"}} {
		if answer, err := client.ChangeSetting(ctx, wrong[0], wrong[1]); err == nil {
			t.Errorf("%v was taken: %s", wrong, answer)
		}
	}
	if answer, err := client.ChangeSetting(ctx, "Typing", "OFF"); err != nil || !strings.Contains(answer, "do not see when you are typing") {
		t.Errorf("got %q, %v", answer, err)
	}
	i.restart()
	if err := i.network.LoadLogin(ctx, login); err != nil {
		t.Fatal(err)
	}
	for _, info := range i.network.Client(login).Settings() {
		want := info.Other[0].Word
		if info.Name == "typing" {
			want = "off"
		}
		if info.Value != want || info.Means == "" || info.About == "" {
			t.Errorf("%s is %+v", info.Name, info)
		}
	}
}

func TestFewRoomsAreMadeInAMinute(t *testing.T) {
	var flood connector.Flood
	now := time.Unix(1_800_000_000, 0)
	made := 0
	for range 100 {
		if flood.MayMake(now) {
			made++
		}
		now = now.Add(time.Second / 2)
	}
	if made != connector.RoomsPerMinute {
		t.Errorf("%d rooms in 50 seconds", made)
	}
	if now = now.Add(time.Minute); !flood.MayMake(now) {
		t.Error("no room is made a minute later")
	}
	if !flood.MayTell(now) || flood.MayTell(now.Add(59*time.Minute)) || !flood.MayTell(now.Add(time.Hour)) {
		t.Error("the user is told more or less than once in an hour")
	}
}

// TestANameThatPosesAsAnotherStandsWithItsNumber: letters that look alike cannot be told apart, so no name stands alone.
func TestANameThatPosesAsAnotherStandsWithItsNumber(t *testing.T) {
	for name, chosen := range map[string]string{
		"letters of another script": "\u0412\u043eb", "directions": "\u202eboB", "nothing visible": "\u200b\u200d\u2060", "10 kB": strings.Repeat("B", 10_000),
		"a number": "+1 202 555 0100", "empty": "",
	} {
		got := connector.TextRequestName("WhatsApp", &puppet.Profile{JID: stranger(1), PushName: chosen})
		if !strings.Contains(got, "+49 151 000 000 01") || !strings.HasSuffix(got, " on WhatsApp") {
			t.Errorf("%s: %q", name, got)
		}
		if len([]rune(got)) > puppet.MaxNameLength+40 || strings.ContainsAny(got, "\u202e\u200b\u2060") {
			t.Errorf("%s: %q is not safe", name, got)
		}
	}
	got := connector.TextRequestName("WhatsApp", &puppet.Profile{JID: types.NewJID("130455123456789", types.HiddenUserServer), PushName: "Bob"})
	if got != "Bob (no number shown) on WhatsApp" {
		t.Errorf("without a number: %q", got)
	}
}

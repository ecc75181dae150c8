package connector_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge/connector"
)

func TestOnlySoManyLoginsStartAtOnce(t *testing.T) {
	const limit, logins = 4, 50
	starter := connector.NewStarter(limit)
	var running, most atomic.Int32
	var started sync.WaitGroup
	started.Add(logins)
	release := make(chan struct{})
	for range logins {
		starter.Add(func(context.Context) {
			defer started.Done()
			now := running.Add(1)
			for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
			}
			<-release
			running.Add(-1)
		})
	}
	close(release)
	started.Wait()
	starter.Stop()
	if most.Load() > limit {
		t.Errorf("%d logins started at once, limit %d", most.Load(), limit)
	}
	if running, waiting := starter.Goroutines(); running != 0 || waiting != 0 {
		t.Errorf("%d goroutines are left, %d logins wait", running, waiting)
	}
}

func TestStopEndsStartsAndForgetsTheRest(t *testing.T) {
	starter := connector.NewStarter(1)
	begun := make(chan struct{})
	starter.Add(func(ctx context.Context) { close(begun); <-ctx.Done() })
	starter.Add(func(context.Context) { t.Error("a login started after the stop") })
	<-begun
	starter.Stop()
	starter.Add(func(context.Context) { t.Error("a login was added after the stop") })
	starter.Stop()
}

func TestFailuresOfOneKindAreCountedInARow(t *testing.T) {
	var states connector.ChatStates
	other := networkid.PortalKey{ID: "carol"}
	if states.Failed(chatWithBob, connector.FailureRefused) != 1 || states.Failed(chatWithBob, connector.FailureRefused) != 2 {
		t.Error("failures in a row are not counted")
	}
	if states.Failed(other, connector.FailureRefused) != 1 {
		t.Error("another chat's failures are counted")
	}
	if states.Failed(chatWithBob, connector.FailureWait) != 1 || states.Failed(chatWithBob, connector.FailureRefused) != 1 {
		t.Error("failures of another kind are counted")
	}
	states.Worked(chatWithBob)
	if states.Failed(chatWithBob, connector.FailureRefused) != 1 {
		t.Error("a success does not end the row")
	}
}

func TestKeptReceiptsAreJoinedAndBounded(t *testing.T) {
	var states connector.ChatStates
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	states.Keep(chatWithBob, at(10), at(20))
	states.Keep(chatWithBob, at(20), at(30))
	states.Keep(chatWithBob, at(15), at(25))
	if got := states.Take()[chatWithBob]; got != [2]time.Time{at(10), at(30)} {
		t.Errorf("kept %v", got)
	}
	if left := states.Take(); len(left) != 0 {
		t.Errorf("%d receipts are left", len(left))
	}
	for i := range connector.MaxKeptReceipts + 5 {
		states.Keep(networkid.PortalKey{ID: networkid.PortalID(fmt.Sprint(i))}, at(1), at(2))
	}
	if got := len(states.Take()); got != connector.MaxKeptReceipts {
		t.Errorf("%d receipts are kept, limit %d", got, connector.MaxKeptReceipts)
	}
}

// commandRecorder is a bridgev2.CommandProcessor.
type commandRecorder struct {
	lock  sync.Mutex
	seen  []string
	begun chan struct{}
	hold  chan struct{}
}

func newCommandRecorder() *commandRecorder {
	return &commandRecorder{begun: make(chan struct{}, 2*connector.MaxWaitingCommands), hold: make(chan struct{})}
}

func (r *commandRecorder) Handle(_ context.Context, _ id.RoomID, _ id.EventID, user *bridgev2.User, message string, _ id.EventID) {
	r.lock.Lock()
	r.seen = append(r.seen, string(user.MXID)+" "+message)
	r.lock.Unlock()
	if message == "login" {
		r.begun <- struct{}{}
		<-r.hold
	}
}

func (r *commandRecorder) commands() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	return slices.Clone(r.seen)
}

func TestCommandsOfOneUserRunOneAfterTheOther(t *testing.T) {
	recorder := newCommandRecorder()
	queue := connector.NewCommandQueue(recorder)
	alice, bob := userNamed("@alice"), userNamed("@bob")
	handle := func(user *bridgev2.User, message string) {
		queue.Handle(context.Background(), "!room", "$event", user, message, "")
	}
	var done sync.WaitGroup
	done.Go(func() { handle(alice, "login") })
	<-recorder.begun
	done.Go(func() { handle(alice, "yes") })
	handle(bob, "help")
	if got := recorder.commands(); !slices.Equal(got, []string{"@alice login", "@bob help"}) {
		t.Errorf("ran %v while a command of alice's runs", got)
	}
	recorder.hold <- struct{}{}
	done.Wait()
	if got := recorder.commands(); len(got) != 3 || got[2] != "@alice yes" {
		t.Errorf("ran %v", got)
	}
}

func TestCommandsThatWaitAreBounded(t *testing.T) {
	recorder := newCommandRecorder()
	queue := connector.NewCommandQueue(recorder)
	const sent = connector.MaxWaitingCommands + 10
	finished := make(chan struct{}, sent)
	for range sent {
		go func() {
			queue.Handle(context.Background(), "!room", "$event", userNamed("@alice"), "login", "")
			finished <- struct{}{}
		}()
	}
	for range sent - connector.MaxWaitingCommands {
		<-finished // those that were dropped
	}
	close(recorder.hold)
	for range connector.MaxWaitingCommands {
		<-finished
	}
	if got := len(recorder.commands()); got != connector.MaxWaitingCommands {
		t.Errorf("%d commands ran, limit %d", got, connector.MaxWaitingCommands)
	}
}

// loggerChanger does what bridgev2 does with every command.
type loggerChanger struct{}

func (loggerChanger) Handle(ctx context.Context, _ id.RoomID, _ id.EventID, _ *bridgev2.User, message string, _ id.EventID) {
	zerolog.Ctx(ctx).UpdateContext(func(c zerolog.Context) zerolog.Context { return c.Str("command", message) })
}

func TestCommandsDoNotChangeTheLoggerOfTheirEvent(t *testing.T) {
	var written bytes.Buffer
	ctx := zerolog.New(&written).WithContext(t.Context())
	connector.NewCommandQueue(loggerChanger{}).Handle(ctx, "!room", "$event", userNamed("@alice"), "help", "")
	zerolog.Ctx(ctx).Info().Msg("afterwards")
	if strings.Contains(written.String(), "help") {
		t.Errorf("logged %s", written.String())
	}
}

func userNamed(user id.UserID) *bridgev2.User {
	return &bridgev2.User{User: &mxdatabase.User{MXID: user}}
}

func TestPowerLevelsAreParsed(t *testing.T) {
	for _, test := range []struct {
		args  []string
		user  id.UserID
		level int
		ok    bool
	}{
		{[]string{"50"}, "@me:example.org", 50, true},
		{[]string{"@you:example.org", "100"}, "@you:example.org", 100, true},
		{[]string{"-1"}, "@me:example.org", -1, true},
		{[]string{"you", "100"}, "", 0, false},
		{[]string{"1e9"}, "", 0, false},
		{[]string{"99999"}, "", 0, false},
		{nil, "", 0, false},
		{[]string{"@you:example.org", "1", "2"}, "", 0, false},
	} {
		user, level, err := connector.ParsePowerLevel("@me:example.org", test.args)
		if (err == nil) != test.ok || test.ok && (user != test.user || level != test.level) {
			t.Errorf("%v: %s %d %v", test.args, user, level, err)
		}
	}
}

package homeserver_test

import (
	"context"
	"testing"
	"time"
)

// newBusySynapse is a stack with a Synapse that has not sent the bot's to-device message when the bridge stops waiting for it.
func newBusySynapse(t *testing.T, retry time.Duration) *stack {
	t.Helper()
	s := &stack{fake: newFakeHomeserver(t), explain: func(error) string { return "" }, kv: &memoryKV{values: make(map[string][]byte)}, impatient: retry}
	s.fake.keys.synapse = true
	s.db = openDatabase(t, t.TempDir()+"/test.db")
	s.start(t, "secret")
	s.fake.wait("GET", "/sync", 1)
	return s
}

// isSpared returns when the bot has given up its sync, and checks that the next start knows it.
func (s *stack) isSpared(t *testing.T) {
	t.Helper()
	select {
	case <-s.fake.hungUp:
	case <-time.After(10 * time.Second):
		t.Fatal("the bot syncs on")
	}
	if !s.connector.ToDevicePushed() {
		t.Error("the bridge does not know that to-device messages are pushed")
	}
	before := len(s.fake.made("GET", "/sync"))
	s.impatient = 0
	if err := s.restart(t, "secret"); err != nil { // stops first, which waits for what is to be remembered
		t.Fatal(err)
	}
	t.Cleanup(s.bridge.Stop)
	if !s.connector.ToDevicePushed() || len(s.fake.made("GET", "/sync")) != before {
		t.Error("the next start does not know it")
	}
}

// TestAHomeserverThatPushesLateSparesTheSync: it was only busy while the bridge waited.
func TestAHomeserverThatPushesLateSparesTheSync(t *testing.T) {
	s := newBusySynapse(t, time.Hour)
	s.push(t, "1", `{"to_device":[`+s.fake.probe(1)+`]}`)
	s.isSpared(t)
}

// TestTheBridgeAsksAgainWhetherToDeviceMessagesArePushed: the sync took the first one, or the admin has changed the homeserver since.
func TestTheBridgeAsksAgainWhetherToDeviceMessagesArePushed(t *testing.T) {
	s := newBusySynapse(t, time.Millisecond)
	s.fake.syncs <- `{"next_batch":"first","to_device":{"events":[` + s.fake.probe(1) + `]}}`
	s.waitSync("since=first")
	s.push(t, "1", `{"to_device":[`+s.fake.probe(3)+`]}`)
	s.isSpared(t)
}

// TestWhatProvesNoPushChangesNothing: a message that the sync brought, and one of an earlier run.
func TestWhatProvesNoPushChangesNothing(t *testing.T) {
	s := newBusySynapse(t, time.Hour)
	s.fake.syncs <- `{"next_batch":"first","to_device":{"events":[` + s.fake.probe(1) + `]}}`
	s.waitSync("since=first")
	s.push(t, "1", `{"to_device":[{"type":"org.postern.probe","sender":"@postern:example.org","content":{"token":"earlier"}}]}`)
	s.fake.syncs <- `{"next_batch":"second"}` // still asked for
	s.waitSync("since=second")
	if known, err := s.kv.Get(context.Background(), "matrix.to_device_probe"); err != nil || known != nil || s.connector.ToDevicePushed() {
		t.Errorf("the bridge believes that to-device messages are pushed: %q, %v", known, err)
	}
}

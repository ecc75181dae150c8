package homeserver_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"postern/bridge/homeserver"
)

// hearNews lets the bot be told that a contact's devices changed, and returns when it has taken that in.
func (s *stack) hearNews() {
	s.changeDevices(bob, "second")
	s.fake.syncs <- `{"next_batch":"third"}` // is asked for when the change is handled
	s.fake.wait("GET", "/sync", 4)
}

// TestContactsDeviceThatIsDeletedWhileTheBridgeRunsIsMadeAnew, and the old one encrypts nothing more.
func TestContactsDeviceThatIsDeletedWhileTheBridgeRunsIsMadeAnew(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	phone.expectRead("before", bob)
	lost, master := s.fake.onlyDevice(t, bob), s.fake.masterKey(bob)
	encryptAsLost, err := s.connector.BorrowPuppet(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	s.fake.lock.Lock()
	delete(s.fake.keys.user(bob).devices, lost)
	s.fake.lock.Unlock()
	s.hearNews()
	s.mustSend(t, "after")
	phone.expectRead("after", bob)
	if phone.sessions() != 2 {
		t.Errorf("there are %d sessions, want one of each device", phone.sessions())
	}
	if device := s.fake.onlyDevice(t, bob); device == lost || !s.fake.isSigned(t, bob, device) || s.fake.masterKey(bob) != master {
		t.Error("there is no new device of the same identity")
	}
	if err = encryptAsLost(room, text("late")); !errors.Is(err, homeserver.ErrGone) {
		t.Errorf("a device that is gone encrypts: %v", err)
	}
}

func TestNewsOfAContactsDeviceThatIsThereChangesNothing(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	device, asked := s.fake.onlyDevice(t, bob), len(s.fake.made("POST", "/keys/query"))
	s.hearNews()
	for range 3 {
		s.mustSend(t, "after")
	}
	phone.expectRead("after", bob)
	if s.fake.onlyDevice(t, bob) != device || phone.sessions() != 1 {
		t.Errorf("the contact has another device, or one of %d sessions", phone.sessions())
	}
	if asked = len(s.fake.made("POST", "/keys/query")) - asked; asked != 1 {
		t.Errorf("the homeserver was asked %d times", asked)
	}
}

// TestWhatWaitsForAContactsDeviceIsReadBeforeASessionIsShared, but not each time.
func TestWhatWaitsForAContactsDeviceIsReadBeforeASessionIsShared(t *testing.T) {
	s := newStack(t)
	s.newReader(t, alice, "PHONE", 5)
	syncs := func() (count int) {
		for _, request := range s.fake.made("GET", "/sync") {
			if strings.Contains(request.Query, "not_types") { // the bot's filter has a number
				count++
			}
		}
		return count
	}
	for _, test := range []struct {
		name string
		do   func()
		want int // more than before
	}{
		{"the device was just made", func() {}, 0},
		{"and a new session is needed", func() { s.connector.ResetSession(room) }, 0},
		{"the last look is long ago", func() { s.connector.ResetSession(room); s.connector.SetCollectInterval(0) }, 2}, // the first has no place
		{"another new session", func() { s.connector.ResetSession(room) }, 1},
		{"the session goes on", func() {}, 0},
	} {
		before := syncs()
		test.do()
		s.mustSend(t, "hello")
		if got := syncs() - before; got != test.want {
			t.Errorf("%s: asked %d times, want %d", test.name, got, test.want)
		}
	}
}

// TestContactsDeviceThatWasDeletedWithoutNewsIsMadeAnew: the homeserver refuses what is asked as the old one.
func TestContactsDeviceThatWasDeletedWithoutNewsIsMadeAnew(t *testing.T) {
	s := newSynapseStack(t)
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	phone.expectRead("before", bob)
	lost := s.fake.onlyDevice(t, bob)
	s.fake.lock.Lock()
	delete(s.fake.keys.user(bob).devices, lost)
	s.fake.lock.Unlock()
	s.connector.ResetSession(room)
	s.mustSend(t, "after")
	phone.expectRead("after", bob)
	if device := s.fake.onlyDevice(t, bob); device == lost || !s.fake.isSigned(t, bob, device) {
		t.Error("there is no new device")
	}
}

// TestContactsDeviceThatWasDeletedWhileItsSessionGoesOnIsMadeAnew after a while, before the contact's next message is encrypted.
func TestContactsDeviceThatWasDeletedWhileItsSessionGoesOnIsMadeAnew(t *testing.T) {
	s := newSynapseStack(t)
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	lost := s.fake.onlyDevice(t, bob)
	s.fake.lock.Lock()
	delete(s.fake.keys.user(bob).devices, lost)
	s.fake.lock.Unlock()
	asked := len(s.fake.made("POST", "/keys/query"))
	s.mustSend(t, "soon")
	if got := len(s.fake.made("POST", "/keys/query")); got != asked {
		t.Error("the homeserver was asked at once")
	}
	s.connector.ForgetLooks(bob)
	s.mustSend(t, "later")
	phone.expectRead("later", bob)
	if device := s.fake.onlyDevice(t, bob); device == lost || !s.fake.isSigned(t, bob, device) {
		t.Error("there is no new device")
	}
	if phone.sessions() != 2 {
		t.Errorf("there are %d sessions, want one of each device", phone.sessions())
	}
}

// TestALookThatFailsChangesNothing: neither does the message wait, nor does the bot encrypt it.
func TestALookThatFailsChangesNothing(t *testing.T) {
	s := newSynapseStack(t)
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	device := s.fake.onlyDevice(t, bob)
	s.fake.setRefusal("/keys/query", http.StatusServiceUnavailable, "M_UNKNOWN")
	for range 5 {
		s.connector.ForgetLooks(bob)
		s.mustSend(t, "later")
		phone.expectRead("later", bob)
	}
	if s.fake.onlyDevice(t, bob) != device || phone.sessions() != 1 {
		t.Errorf("the contact has another device, or one of %d sessions", phone.sessions())
	}
}

// TestANewSessionIsForDevicesThatNobodyToldOf: Synapse does not tell of each.
func TestANewSessionIsForDevicesThatNobodyToldOf(t *testing.T) {
	s := newSynapseStack(t)
	s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	tablet := s.newReader(t, alice, "TABLET", 5)
	s.connector.ResetSession(room)
	s.mustSend(t, "after")
	tablet.expectRead("after", bob)
}

// TestASessionThatGoesOnGetsToDevicesThatNobodyToldOf after a while.
func TestASessionThatGoesOnGetsToDevicesThatNobodyToldOf(t *testing.T) {
	s := newSynapseStack(t)
	s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	tablet := s.newReader(t, alice, "TABLET", 5)
	asked := len(s.fake.made("POST", "/keys/query"))
	s.mustSend(t, "soon")
	if got := len(s.fake.made("POST", "/keys/query")); got != asked {
		t.Error("the homeserver was asked at once")
	}
	s.connector.ForgetLooks(bob)
	s.mustSend(t, "later")
	s.fake.wait("POST", "/keys/query", asked+1)
	// The session ends when the answer is taken in.
	for number := 0; tablet.sync() == 0; number++ {
		if number == 10000 {
			t.Fatal("the tablet gets no key")
		}
		s.mustSend(t, "then")
	}
	s.mustSend(t, "at last")
	tablet.expectRead("at last", bob)
}

package gatekeeper_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"

	"postern/interop/wire"
)

// sandboxTransport sends whatsmeow's requests, whose address is a constant, to the sandbox.
type sandboxTransport struct{ host string }

func (t sandboxTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	changed := request.Clone(request.Context())
	changed.URL.Scheme, changed.URL.Host, changed.Host = "http", t.host, t.host
	return http.DefaultTransport.RoundTrip(changed)
}

// device is a device of a WhatsApp user, played by whatsmeow's client as it is.
type device struct {
	*whatsmeow.Client
	tb  testing.TB
	lid types.JID // of the account

	mu     sync.Mutex
	seen   []any
	change chan struct{} // closed and replaced with every event; guarded by mu
}

var trustSandbox sync.Once

// whatsmeowOf registers a device of the user with the phone number and connects it.
func (s *sandbox) whatsmeowOf(phone, name string) *device {
	s.tb.Helper()
	trustSandbox.Do(func() { whatsmeow.WACertPubKey = s.RootKey() })
	container, err := sqlstore.New(s.tb.Context(), "sqlite3-fk-wal", "file:"+filepath.Join(s.tb.TempDir(), "device.db")+"?_txlock=immediate", waLog.Noop)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = container.Close() })
	store := container.NewDevice()
	number, lid := s.addresses(phone, *store.NoiseKey.Pub)
	store.ID, store.LID, store.PushName = &number, lid, name
	store.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte{}, AccountSignatureKey: make([]byte, 32), AccountSignature: make([]byte, 64), DeviceSignature: make([]byte, 64),
	}
	if err = store.Save(s.tb.Context()); err != nil {
		s.tb.Fatal(err)
	}
	d := &device{Client: whatsmeow.NewClient(store, waLog.Noop), tb: s.tb, lid: lid.ToNonAD(), change: make(chan struct{})}
	d.SetWebsocketHTTPClient(&http.Client{Transport: sandboxTransport{strings.TrimPrefix(s.URL(), "http://")}})
	d.SetMediaHTTPClient(&http.Client{Transport: sandboxTransport{strings.TrimPrefix(s.URL(), "http://")}})
	d.EnableDecryptedEventBuffer = true
	d.SynchronousAck = true
	d.SetForceActiveDeliveryReceipts(true)
	d.AddEventHandler(d.record)
	s.tb.Cleanup(d.Disconnect)
	d.connect()
	return d
}

func (d *device) record(event any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, event)
	close(d.change)
	d.change = make(chan struct{})
}

// connect logs in and waits until the prekeys are there and mail flows.
func (d *device) connect() {
	d.tb.Helper()
	mark := d.mark()
	if err := d.Connect(); err != nil {
		d.tb.Fatal(err)
	}
	waitEvent(d, mark, func(*events.Connected) bool { return true })
}

func (d *device) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.seen)
}

// waitEvent returns the first event of the type after the mark that matches.
func waitEvent[E any](d *device, mark int, match func(E) bool) E {
	d.tb.Helper()
	timeout := time.After(patience)
	for next := mark; ; {
		d.mu.Lock()
		seen, change := d.seen, d.change
		d.mu.Unlock()
		for ; next < len(seen); next++ {
			if event, ok := seen[next].(E); ok && match(event) {
				return event
			}
		}
		select {
		case <-change:
		case <-timeout:
			var zero E
			d.tb.Fatalf("%s waits for %T in vain; it saw %d events", d.Store.GetJID(), zero, len(seen))
		}
	}
}

func (d *device) send(to types.JID, text string) types.MessageID {
	d.tb.Helper()
	ctx, cancel := context.WithTimeout(d.tb.Context(), patience)
	defer cancel()
	sent, err := d.SendMessage(ctx, to, &waE2E.Message{Conversation: proto.String(text)})
	if err != nil {
		d.tb.Fatalf("%s: %v", d.Store.GetJID(), err)
	}
	return sent.ID
}

func (d *device) waitText(mark int, text string) *events.Message {
	d.tb.Helper()
	return waitEvent(d, mark, func(m *events.Message) bool { return m.Message.GetConversation() == text })
}

func (d *device) waitReceipt(id types.MessageID, kind types.ReceiptType) *events.Receipt {
	d.tb.Helper()
	return waitEvent(d, 0, func(r *events.Receipt) bool { return r.Type == kind && r.MessageIDs[0] == id })
}

const bobPhone, carolPhone = "+4915112345678", "+4915187654321"

// bobAndCarol are two WhatsApp users.
func bobAndCarol(t testing.TB) (s *sandbox, bob, carol *device) {
	t.Helper()
	s = start(t)
	s.account(bobPhone, "Bob")
	s.account(carolPhone, "Carol")
	return s, s.whatsmeowOf(bobPhone, "Bob"), s.whatsmeowOf(carolPhone, "Carol")
}

func TestWhatsmeowClientsWriteToEachOther(t *testing.T) {
	_, bob, carol := bobAndCarol(t)
	first := bob.send(carol.Store.ID.ToNonAD(), "hello Carol")
	got := carol.waitText(0, "hello Carol")
	if got.Info.Sender != bob.Store.GetLID() || got.Info.PushName != "Bob" || got.Info.Chat != bob.lid {
		t.Errorf("Carol got it from %s in %s by %q", got.Info.Sender, got.Info.Chat, got.Info.PushName)
	}
	bob.waitReceipt(first, types.ReceiptTypeDelivered)
	if err := carol.MarkRead(t.Context(), []types.MessageID{first}, time.Now(), got.Info.Chat, types.EmptyJID); err != nil {
		t.Fatal(err)
	}
	bob.waitReceipt(first, types.ReceiptTypeRead)
	answer := carol.send(got.Info.Chat, "hello Bob")
	bob.waitText(0, "hello Bob")
	carol.waitReceipt(answer, types.ReceiptTypeDelivered)
	if err := carol.SendChatPresence(t.Context(), got.Info.Chat, types.ChatPresenceComposing, types.ChatPresenceMediaText); err != nil {
		t.Fatal(err)
	}
	waitEvent(bob, 0, func(p *events.ChatPresence) bool {
		return p.State == types.ChatPresenceComposing && p.Sender == carol.Store.GetLID()
	})
}

func TestWhatsmeowClientsFindEachOther(t *testing.T) {
	s, bob, carol := bobAndCarol(t)
	found, err := bob.IsOnWhatsApp(t.Context(), []string{carolPhone, "+4915100000001"})
	if err != nil || len(found) != 1 || !found[0].IsIn || found[0].JID != carol.lid || found[0].Query != carolPhone {
		t.Errorf("lookup by phone: %+v, %v", found, err)
	}
	s.control("PUT", "/accounts/"+url.PathEscape(carolPhone)+"/picture", []byte("\x89PNG\r\n\x1a\n picture"), nil)
	info, err := bob.GetUserInfo(t.Context(), []types.JID{carol.Store.ID.ToNonAD()})
	if user := info[carol.Store.ID.ToNonAD()]; err != nil || user.LID != carol.lid || len(user.Devices) != 1 || user.PictureID == "" {
		t.Errorf("user info: %+v, %v", info, err)
	}
	picture, err := bob.GetProfilePictureInfo(t.Context(), carol.lid, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(picture.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "image/png" {
		t.Errorf("picture: %s, %s", response.Status, response.Header.Get("Content-Type"))
	}
	settings, err := bob.SetPrivacySetting(t.Context(), types.PrivacySettingTypeReadReceipts, types.PrivacySettingNone)
	if err != nil || settings.ReadReceipts != types.PrivacySettingNone {
		t.Errorf("privacy: %+v, %v", settings, err)
	}
	blocked, err := bob.UpdateBlocklist(t.Context(), carol.lid, events.BlocklistChangeActionBlock)
	if err != nil || len(blocked.JIDs) != 1 || blocked.JIDs[0] != carol.lid {
		t.Errorf("blocklist: %+v, %v", blocked, err)
	}
}

func TestAllDevicesOfBothUsersGetAMessage(t *testing.T) {
	s, bob, carol := bobAndCarol(t)
	carol.send(bob.lid, "warm up")
	bob.waitText(0, "warm up")
	carol2, bob2 := s.whatsmeowOf(carolPhone, "Carol"), s.whatsmeowOf(bobPhone, "Bob")
	if carol2.Store.ID.Device != 1 {
		t.Errorf("second device has number %d", carol2.Store.ID.Device)
	}
	// Bob's first device had looked Carol's up before her second one came.
	bob.send(carol.lid, "to all")
	carol.waitText(0, "to all")
	carol2.waitText(0, "to all")
	copied := bob2.waitText(0, "to all")
	if !copied.Info.IsFromMe || copied.Info.Chat != carol.lid {
		t.Errorf("the copy for the second device is in %s, from me: %v", copied.Info.Chat, copied.Info.IsFromMe)
	}
	carol2.send(bob.lid, "from the second")
	bob.waitText(0, "from the second")
	bob2.waitText(0, "from the second")
	carol.waitText(0, "from the second")
}

func TestACorruptedMessageIsSentAgain(t *testing.T) {
	s, bob, carol := bobAndCarol(t)
	bob.send(carol.lid, "one")
	carol.waitText(0, "one")
	carol.send(bob.lid, "two")
	bob.waitText(0, "two")
	s.fault("corrupt", map[string]any{"account": carolPhone})
	id := bob.send(carol.lid, "three")
	waitEvent(carol, 0, func(m *events.UndecryptableMessage) bool { return m.Info.ID == id })
	if again := carol.waitText(0, "three"); again.Info.ID != id {
		t.Errorf("it came again as %s instead of %s", again.Info.ID, id)
	}
	s.waitSaw("receipt retry")
	s.waitSaw("message retry")
}

func TestMailComesInOrderAfterAnAbsence(t *testing.T) {
	_, bob, carol := bobAndCarol(t)
	bob.send(carol.lid, "before")
	carol.waitText(0, "before")
	carol.Disconnect()
	const count = 40
	for i := range count {
		bob.send(carol.lid, fmt.Sprint("letter ", i))
	}
	mark := carol.mark()
	carol.connect()
	waitEvent(carol, mark, func(end *events.OfflineSyncCompleted) bool { return true })
	carol.waitText(mark, fmt.Sprint("letter ", count-1))
	carol.mu.Lock()
	defer carol.mu.Unlock()
	next := 0
	for _, event := range carol.seen[mark:] {
		if message, ok := event.(*events.Message); ok {
			if want := fmt.Sprint("letter ", next); message.Message.GetConversation() != want {
				t.Fatalf("got %q, want %q", message.Message.GetConversation(), want)
			}
			next++
		}
	}
	if next != count {
		t.Errorf("%d of %d came", next, count)
	}
}

func TestWhatsmeowReconnectsAfterFaults(t *testing.T) {
	s, bob, carol := bobAndCarol(t)
	for name, fault := range map[string]func(){
		"a cut connection": func() { s.fault("drop", map[string]any{"account": carolPhone}) },
		"a stream error":   func() { s.fault("stream-error", map[string]any{"account": carolPhone, "code": 503}) },
		"a refused login": func() {
			s.fault("refuse-logins", map[string]any{"code": 503, "times": 1})
			s.fault("drop", map[string]any{"account": carolPhone})
		},
	} {
		mark := carol.mark()
		fault()
		waitEvent(carol, mark, func(*events.Connected) bool { return true })
		bob.send(carol.lid, name)
		carol.waitText(mark, name)
	}
}

func TestTheSameDeviceConnectedTwiceIsReplaced(t *testing.T) {
	s, _, carol := bobAndCarol(t)
	twin := whatsmeow.NewClient(carol.Store, waLog.Noop)
	twin.SetWebsocketHTTPClient(&http.Client{Transport: sandboxTransport{strings.TrimPrefix(s.URL(), "http://")}})
	if err := twin.Connect(); err != nil {
		t.Fatal(err)
	}
	defer twin.Disconnect()
	waitEvent(carol, 0, func(*events.StreamReplaced) bool { return true })
}

func TestAWhatsmeowClientWritesToAPartnersUserUnderTheAlias(t *testing.T) {
	s := start(t)
	s.account(bobPhone, "Bob")
	bob := s.whatsmeowOf(bobPhone, "Bob")
	keys := newIdentity("@alice:example.org")
	account := s.enlisted(keys)
	alice := s.login(keys, account)
	alice.upload(keys, 10)
	alice.activate()
	var info struct{ LID string }
	s.control("GET", "/accounts/"+wire.FormatJID(account), nil, &info)
	alias, err := wire.ParseJID(info.LID)
	if err != nil {
		t.Fatal(err)
	}
	id := bob.send(alias, "hello Alice")
	got := alice.await("message")
	body := got.GetChildByTag("enc")
	if got.Attrs["from"] != bob.Store.ID.ToNonAD() || got.Attrs["id"] != id || body.Attrs["type"] != "pkmsg" || has(*got, "device-identity") {
		t.Errorf("Alice got %v", got)
	}
	alice.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": id, "to": got.Attrs["from"]}})
	if receipt := bob.waitReceipt(id, types.ReceiptTypeDelivered); receipt.Chat != alias {
		t.Errorf("Bob's receipt is in %s", receipt.Chat)
	}
	// Alice asks for the message again, with keys, and gets it from whatsmeow under the same id.
	alice.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": id, "to": got.Attrs["from"], "type": "retry"}, Content: []waBinary.Node{
		{Tag: "retry", Attrs: waBinary.Attrs{"count": 1, "id": id, "t": got.Attrs["t"], "v": 1}},
		{Tag: "registration", Content: []byte{0, 0, 0, 9}},
	}})
	again := alice.await("message")
	if body = again.GetChildByTag("enc"); again.Attrs["id"] != id || body.Attrs["count"] != "1" {
		t.Errorf("Alice got %v", again)
	}
}

package gatekeeper_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"google.golang.org/protobuf/proto"

	"postern/interop/wire"
)

func TestControlRefusesBadRequests(t *testing.T) {
	s := start(t)
	s.account("+4915112345678", "Bob")
	alice := wire.FormatJID(s.enlisted(newIdentity("@alice:example.org")))
	key := strings.Repeat("00", 32)
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/accounts", `{"phone":"0123456","name":"x"}`, 400},
		{"POST", "/accounts", `{"phone":"+4915112345678","name":"x"}`, 409},
		{"POST", "/accounts", `{"phone":"+4915100000001","name":"` + strings.Repeat("x", 200) + `"}`, 400},
		{"POST", "/accounts", `{"phone":"+4915100000001","unknown":1}`, 400},
		{"POST", "/accounts", `{"phone":"+4915100000001"}{}`, 400},
		{"POST", "/accounts", `{"phone":"` + strings.Repeat("1", 70_000) + `"}`, 413},
		{"POST", "/accounts", `nonsense`, 400},
		{"GET", "/accounts/+4915100000009", "", 404},
		{"GET", "/accounts/nobody", "", 404},
		{"GET", "/accounts/" + url.PathEscape("@alice:example.org"), "", 200},
		{"DELETE", "/accounts/nobody", "", 404},
		{"POST", "/accounts/4915112345678/devices", `{"noise_key":"00"}`, 400},
		{"POST", "/accounts/4915112345678/devices", `{"noise_key":"` + key + `","number":256}`, 409},
		{"POST", "/accounts/4915112345678/devices", `{"noise_key":"` + key + `","number":3}`, 200},
		{"POST", "/accounts/4915112345678/devices", `{"noise_key":"` + key + `","number":3}`, 409},
		{"POST", "/accounts/" + alice + "/devices", `{"noise_key":"` + key + `"}`, 400},
		{"DELETE", "/accounts/4915112345678/devices/9", "", 404},
		{"DELETE", "/accounts/4915112345678/devices/x", "", 400},
		{"PUT", "/accounts/4915112345678/picture", "", 400},
		{"PUT", "/accounts/4915112345678/picture", strings.Repeat("x", 2<<20), 413},
		{"GET", "/saw?after=x", "", 400},
		{"GET", "/saw?wait=-1", "", 400},
		{"GET", "/saw?limit=0", "", 400},
		{"POST", "/faults/refuse-logins", `{"code":1,"times":1}`, 400},
		{"POST", "/faults/refuse-logins", `{"code":500,"times":-1}`, 400},
		{"POST", "/faults/refuse-enlistments", `{"reason":""}`, 400},
		{"POST", "/faults/refuse-enlistments", `{"reason":"x","times":-1}`, 400},
		{"POST", "/faults/acks", `{"delay_ms":-1}`, 400},
		{"POST", "/faults/clock", `{"offset_seconds":99999999999}`, 400},
		{"POST", "/faults/corrupt", `{"account":"nobody"}`, 404},
		{"POST", "/faults/corrupt", `{"account":"4915112345678","count":-1}`, 400},
		{"POST", "/faults/prekeys-low", `{"account":"4915112345678","left":-1}`, 400},
		{"POST", "/faults/media", `{"mode":"burn"}`, 400},
		{"POST", "/faults/media", `{"mode":"flip","times":-1}`, 400},
		{"POST", "/faults/media", `{"mode":""}`, 200},
		{"DELETE", "/media", "", 200},
		{"POST", "/faults/drop", `{"account":"nobody"}`, 404},
		{"POST", "/faults/unknown", `{}`, 404},
		{"GET", "/faults/drop", "", 405},
	} {
		var answer struct{ Error string }
		status := s.control(test.method, test.path, []byte(test.body), nil)
		if status != test.status {
			t.Errorf("%s %s %.60s: status %d, want %d %s", test.method, test.path, test.body, status, test.status, answer.Error)
		}
	}
}

func TestControlListsPartnersUsers(t *testing.T) {
	p := startPair(t)
	var list struct {
		Accounts []struct {
			JID, LID, Name string
			UserVisibleID  string `json:"user_visible_id"`
			Connected      []int
		}
	}
	p.control("GET", "/interop", nil, &list)
	if len(list.Accounts) != 1 || list.Accounts[0].JID != wire.FormatJID(p.aliceJID) || list.Accounts[0].LID != wire.FormatJID(p.aliceLID) ||
		list.Accounts[0].UserVisibleID != "@alice:example.org" || len(list.Accounts[0].Connected) != 1 {
		t.Errorf("got %+v", list)
	}
	var info struct {
		RootKey  string `json:"root_key"`
		ChatURL  string `json:"chat_url"`
		MediaURL string `json:"media_url"`
	}
	p.control("GET", "/info", nil, &info)
	if root := p.RootKey(); info.RootKey != fmt.Sprintf("%x", root[:]) || info.ChatURL != p.ChatURL() || info.MediaURL != p.URL() {
		t.Errorf("got %+v", info)
	}
	p.control("DELETE", "/accounts/"+wire.FormatJID(p.aliceJID), nil, nil)
	if end := p.alice.await("stream:error"); end.Attrs["code"] != "401" {
		t.Errorf("forgotten account got %v", end)
	}
}

func TestWhatWasSeenHoldsKindsAndSizesButNoContent(t *testing.T) {
	p := startPair(t)
	message := letterTo("A1", p.bob.number, p.bob.number)
	p.alice.write(message)
	p.alice.await("ack")
	seen := p.waitSaw("message")
	if seen.ID != "A1" || seen.From != wire.FormatJID(p.aliceJID) || seen.To != wire.FormatJID(p.bob.number.ToNonAD()) ||
		len(seen.Enc) != 1 || seen.Enc[0] != "msg" || seen.Size != len("A1 for "+wire.FormatJID(p.bob.number)) {
		t.Errorf("got %+v", seen)
	}
	response, err := http.Get(p.ControlURL() + "/saw")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if all, err := io.ReadAll(response.Body); err != nil || bytes.Contains(all, []byte("A1 for")) {
		t.Errorf("the records hold content, or %v", err)
	}
}

func TestALongPollEndsWithTheNextRecord(t *testing.T) {
	s := start(t)
	polled := make(chan int, 1)
	go func() {
		var answer struct{ Saw []saw }
		response, err := http.Get(s.ControlURL() + "/saw?wait=30")
		if err == nil {
			defer response.Body.Close()
			err = json.NewDecoder(response.Body).Decode(&answer)
		}
		if err != nil {
			t.Error(err)
		}
		polled <- len(answer.Saw)
	}()
	s.enlisted(newIdentity("@alice:example.org"))
	select {
	case count := <-polled:
		if count == 0 {
			t.Error("the poll ended with nothing")
		}
	case <-time.After(patience):
		t.Error("the poll did not end")
	}
}

func TestFaultsOfLogins(t *testing.T) {
	s := start(t)
	alice := newIdentity("@alice:example.org")
	account := s.enlisted(alice)
	s.fault("refuse-logins", map[string]any{"code": 503, "times": 2})
	for range 2 {
		if _, answer := s.dial(alice.noise, s.payload(alice, account)); answer.Attrs["reason"] != "503" {
			t.Errorf("got %v", answer)
		}
	}
	s.login(alice, account)
	bob := newIdentity("@bob:example.org")
	s.fault("refuse-logins", map[string]any{"account": wire.FormatJID(s.enlisted(bob)), "code": 500, "times": 1})
	s.login(alice, account)
	s.fault("refuse-logins", map[string]any{"code": 500, "times": 0})
	s.fault("expire-tokens", map[string]any{"on": true})
	if _, answer := s.dial(alice.noise, s.payload(alice, account)); answer.Attrs["reason"] != "413" {
		t.Errorf("got %v", answer)
	}
	s.fault("expire-tokens", map[string]any{"on": false})
	s.login(alice, account)
}

func TestFaultsOfConnections(t *testing.T) {
	p := startPair(t)
	p.fault("stream-error", map[string]any{"account": wire.FormatJID(p.aliceJID), "code": 515})
	if end := p.alice.await("stream:error"); end.Attrs["code"] != "515" {
		t.Errorf("got %v", end)
	}
	p.fault("outage", map[string]any{"on": true})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := p.bob.ReadNode(ctx); !errors.Is(err, wire.ErrClosed) {
		t.Errorf("connection in an outage: %v", err)
	}
	if response, err := http.Post(p.EnlistURL(), "application/x-www-form-urlencoded", nil); err == nil {
		response.Body.Close()
		t.Error("enlistment in an outage was answered")
	}
	p.fault("outage", map[string]any{"on": false})
	p.login(p.keys, p.aliceJID)
}

func TestFaultsOfMessages(t *testing.T) {
	p := startPair(t)
	bob := p.bob.number
	p.fault("acks", map[string]any{"drop": 1})
	p.alice.write(letterTo("A1", bob, bob))
	p.alice.write(letterTo("A2", bob, bob))
	if ack := p.alice.await("ack"); ack.Attrs["id"] != "A2" {
		t.Errorf("got the ack of %v, which was to be dropped", ack.Attrs["id"])
	}
	p.fault("acks", map[string]any{"delay_ms": 300})
	began := time.Now()
	p.alice.write(letterTo("A3", bob, bob))
	if p.alice.await("ack"); time.Since(began) < 300*time.Millisecond {
		t.Errorf("ack after %s", time.Since(began))
	}
	p.fault("acks", nil)
	p.fault("corrupt", map[string]any{"account": "+4915112345678", "count": 1})
	p.alice.write(letterTo("A4", bob, bob))
	p.alice.write(letterTo("A5", bob, bob))
	for _, id := range []string{"A1", "A2", "A3", "A4", "A5"} {
		got := p.bob.await("message")
		body := got.GetChildByTag("enc")
		intact := wire.Text(&body) == id+" for "+wire.FormatJID(bob)
		if got.Attrs["id"] != id || intact != (id != "A4") {
			t.Errorf("got %v, ciphertext intact: %v", got.Attrs["id"], intact)
		}
	}
	p.fault("prekeys-low", map[string]any{"account": "+4915112345678", "left": 3})
	if told := p.bob.await("notification"); told.GetChildByTag("count").Attrs["value"] != "3" {
		t.Errorf("got %v", told)
	}
}

func TestPresenceReachesWhoWatches(t *testing.T) {
	p := startPair(t)
	p.bob.write(waBinary.Node{Tag: "presence", Attrs: waBinary.Attrs{"type": "subscribe", "to": p.aliceLID}})
	if got := p.bob.await("presence"); got.Attrs["from"] != p.aliceLID || got.Attrs["type"] != nil {
		t.Errorf("at first: %v", got)
	}
	p.alice.write(waBinary.Node{Tag: "presence", Attrs: waBinary.Attrs{"type": "unavailable", "name": "Alice A."}})
	if got := p.bob.await("presence"); got.Attrs["type"] != "unavailable" {
		t.Errorf("then: %v", got)
	}
	p.alice.write(letterTo("A1", p.bob.number, p.bob.number))
	if got := p.bob.await("message"); got.Attrs["notify"] != "Alice A." {
		t.Errorf("push name: %v", got.Attrs)
	}
}

func TestReadReceiptsStayWithWhoDoesNotWantToSendThem(t *testing.T) {
	p := startPair(t)
	payload := p.payload(p.keys, p.aliceJID)
	payload.InteropData.EnableReadReceipts = proto.Bool(false)
	alice, _ := p.dial(p.keys.noise, payload)
	alice.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "B1", "to": p.bob.number, "type": "read"}})
	alice.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "B2", "to": p.bob.number}})
	if got := p.bob.await("receipt"); got.Attrs["id"] != "B2" {
		t.Errorf("got %v", got.Attrs)
	}
}

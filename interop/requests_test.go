package interop_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

func TestNormalizePhone(t *testing.T) {
	for phone, want := range map[string]string{
		"+4915112345678":          "+4915112345678",
		" +49 151 12345678 ":      "+4915112345678",
		"+49 (0)151-123.456/78":   "+4915112345678",
		"+1 (555) 010‑9999":       "+15550109999",
		"+49\u00a0151\u202f12345": "+4915112345",
		"+123456789012345":        "+123456789012345",
		"015112345678":            "",
		"004915112345678":         "",
		"4915112345678":           "",
		"+0151123456":             "",
		"+":                       "",
		"":                        "",
		"+123456":                 "",
		"+1234567890123456":       "",
		"+49 151 CALL ME":         "",
		"+49151+2345678":          "",
		"+٤٩١٥١١٢٣٤٥٦٧":           "",
		"@bob:example.org":        "",
	} {
		got, err := interop.NormalizePhone(phone)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, interop.ErrInvalidPhone) {
			t.Errorf("%q: got %q, %v, want %q", phone, got, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	_, s, l := started(t)
	user := func(attrs waBinary.Attrs, phone, kind string, more ...waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: "user", Attrs: attrs, Content: append([]waBinary.Node{
			{Tag: "contact", Attrs: waBinary.Attrs{"type": kind}, Content: phone},
		}, more...)}
	}
	off := waBinary.Node{Tag: "interop", Attrs: waBinary.Attrs{"state": "off"}}
	var reply []waBinary.Node
	l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
		if iq.Attrs["xmlns"] != "usync" {
			return nil
		}
		return result(iq, waBinary.Node{Tag: "usync", Content: []waBinary.Node{{Tag: "list", Content: reply}}})
	})
	const phone = "+4915112345678"
	for name, test := range map[string]struct {
		reply []waBinary.Node
		want  *interop.Contact
		err   error
	}{
		"Found":     {[]waBinary.Node{user(waBinary.Attrs{"jid": bobJID}, phone, "in")}, &interop.Contact{JID: bobJID, Phone: phone, Reachable: true}, nil},
		"Off":       {[]waBinary.Node{user(waBinary.Attrs{"jid": bobJID}, phone, "in", off)}, &interop.Contact{JID: bobJID, Phone: phone}, nil},
		"Out":       {[]waBinary.Node{user(waBinary.Attrs{"jid": bobJID}, phone, "out")}, nil, interop.ErrUnknownContact},
		"NoJID":     {[]waBinary.Node{user(nil, phone, "in")}, nil, interop.ErrUnknownContact},
		"Group":     {[]waBinary.Node{user(waBinary.Attrs{"jid": types.NewJID("1-2", types.GroupServer)}, phone, "in")}, nil, interop.ErrUnknownContact},
		"OtherOnes": {[]waBinary.Node{user(waBinary.Attrs{"jid": carolJID}, "+49301234567", "in")}, nil, interop.ErrUnknownContact},
		"Empty":     {nil, nil, interop.ErrUnknownContact},
	} {
		reply = test.reply
		got, err := s.Resolve(context.Background(), "+49 151 12345678")
		if !errors.Is(err, test.err) || (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if _, err := s.Resolve(context.Background(), "Bob"); !errors.Is(err, interop.ErrInvalidPhone) {
		t.Errorf("got %v", err)
	}
}

func TestRequestsNeedTheChannel(t *testing.T) {
	p := newPeer(t)
	s := newSubject(t, p)
	ctx := context.Background()
	for name, request := range map[string]func() error{
		"Resolve": func() error { _, err := s.Resolve(ctx, "+4915112345678"); return err },
		"Picture": func() error { _, err := s.Picture(ctx, bobJID); return err },
		"SendReceipt": func() error {
			return s.SendReceipt(ctx, bobJID, []types.MessageID{"A"}, interop.ReceiptRead, time.Now())
		},
		"SendChatState": func() error { return s.SendChatState(ctx, bobJID, true) },
		"Leave":         func() error { return s.Leave(ctx) },
	} {
		if err := request(); !errors.Is(err, interop.ErrNotConnected) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRequestThatIsRefusedOrNotAnswered(t *testing.T) {
	_, s, l := started(t)
	outcome := make(chan error, 1)
	ask := func(ctx context.Context) *waBinary.Node {
		go func() {
			_, err := s.Resolve(ctx, "+4915112345678")
			outcome <- err
		}()
		return l.next("iq")
	}
	iq := ask(context.Background())
	l.send(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": iq.Attrs["id"], "type": "error"}, Content: []waBinary.Node{
		{Tag: "error", Attrs: waBinary.Attrs{"code": 429, "text": "rate-overlimit"}},
	}})
	var refusal *interop.StanzaError
	if err := <-outcome; !errors.As(err, &refusal) || refusal.Code != 429 || refusal.Text != "rate-overlimit" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	iq = ask(ctx)
	cancel()
	if err := <-outcome; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	l.send(*result(iq)) // late
	ask(context.Background())
	l.cut()
	if err := <-outcome; !errors.Is(err, interop.ErrNotConnected) {
		t.Errorf("got %v", err)
	}
}

func TestPicture(t *testing.T) {
	_, s, l := started(t)
	var reply func(iq *waBinary.Node) *waBinary.Node
	l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
		if iq.Attrs["xmlns"] != "w:profile:picture" {
			return nil
		}
		if iq.Attrs["target"] != bobJID || childOf(iq, "picture").Attrs["query"] != "url" {
			t.Errorf("got %s", iq.String())
		}
		return reply(iq)
	})
	refuse := func(code int) func(iq *waBinary.Node) *waBinary.Node {
		return func(iq *waBinary.Node) *waBinary.Node {
			return &waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": iq.Attrs["id"], "type": "error"}, Content: []waBinary.Node{
				{Tag: "error", Attrs: waBinary.Attrs{"code": code}},
			}}
		}
	}
	ctx := context.Background()
	for _, code := range []int{404, 401} {
		reply = refuse(code)
		if picture, err := s.Picture(ctx, bobJID); picture != nil || err != nil {
			t.Errorf("%d: got %v, %v", code, picture, err)
		}
	}
	reply = refuse(500)
	if _, err := s.Picture(ctx, bobJID); err == nil {
		t.Error("no error")
	}
	reply = func(iq *waBinary.Node) *waBinary.Node {
		return result(iq, waBinary.Node{Tag: "picture", Attrs: waBinary.Attrs{"id": "5", "url": "https://pictures.example/5", "type": "image"}})
	}
	picture, err := s.Picture(ctx, bobJID)
	if err != nil || picture == nil || picture.ID != "5" || picture.URL != "https://pictures.example/5" {
		t.Errorf("got %v, %v", picture, err)
	}
}

func TestLeave(t *testing.T) {
	_, s, l := started(t)
	outcome := make(chan error, 1)
	leave := func() *waBinary.Node {
		go func() { outcome <- s.Leave(context.Background()) }()
		return l.next("iq")
	}
	iq := leave()
	l.send(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": iq.Attrs["id"], "type": "error"}, Content: []waBinary.Node{
		{Tag: "error", Attrs: waBinary.Attrs{"code": 503}},
	}})
	if err := <-outcome; err == nil || !s.IsConnected() {
		t.Errorf("refused: got %v, connected %t", err, s.IsConnected())
	}
	iq = leave()
	if iq.Attrs["xmlns"] != "interop" || iq.Attrs["type"] != "set" || childOf(iq, "delete") == nil {
		t.Errorf("got %s", iq.String())
	}
	l.send(*result(iq))
	// The client may have closed the channel by now, since it has what it wants: then this comes too late, and may fail.
	_ = l.conn.WriteNode(context.Background(), waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{"code": 401}, Content: []waBinary.Node{
		{Tag: "conflict", Attrs: waBinary.Attrs{"type": "device_removed"}},
	}})
	if err := <-outcome; err != nil {
		t.Error(err)
	}
	l.waitClosed()
	s.events.none() // it was our own wish
}

func TestChatStates(t *testing.T) {
	_, s, l := started(t)
	composing := func(attrs waBinary.Attrs) []waBinary.Node { return []waBinary.Node{{Tag: "composing", Attrs: attrs}} }
	for _, test := range []struct {
		content any
		want    interop.ChatState
	}{
		{composing(nil), interop.ChatState{Chat: bobJID, Composing: true}},
		{composing(waBinary.Attrs{"media": "audio"}), interop.ChatState{Chat: bobJID, Composing: true, Recording: true}},
		{[]waBinary.Node{{Tag: "paused"}}, interop.ChatState{Chat: bobJID}},
	} {
		device := bobJID
		device.Device = 3
		l.send(waBinary.Node{Tag: "chatstate", Attrs: waBinary.Attrs{"from": device}, Content: test.content})
		if got := waitFor[*interop.ChatState](s.events); *got != test.want {
			t.Errorf("got %+v, want %+v", got, test.want)
		}
	}
	l.send(waBinary.Node{Tag: "chatstate", Attrs: waBinary.Attrs{"from": bobJID}})
	l.send(waBinary.Node{Tag: "chatstate", Content: composing(nil)})
	l.sync()
	s.events.none()

	for composing, want := range map[bool]string{true: "composing", false: "paused"} {
		if err := s.SendChatState(context.Background(), bobJID, composing); err != nil {
			t.Fatal(err)
		}
		if node := l.next("chatstate"); node.Attrs["to"] != bobJID || childOf(node, want) == nil {
			t.Errorf("got %s", node.String())
		}
	}
	if err := s.SendChatState(context.Background(), types.StatusBroadcastJID, true); !errors.Is(err, interop.ErrUnknownContact) {
		t.Errorf("got %v", err)
	}
}

func TestReceiptsOfContacts(t *testing.T) {
	_, s, l := started(t)
	for i, test := range []struct {
		kind string
		want interop.ReceiptType
	}{{"", interop.ReceiptDelivered}, {"inactive", interop.ReceiptDelivered}, {"read", interop.ReceiptRead}, {"played", interop.ReceiptPlayed}} {
		id := fmt.Sprint("R", i)
		node := waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"from": bobJID, "id": id, "t": 1_760_000_000}, Content: []waBinary.Node{
			{Tag: "list", Content: []waBinary.Node{{Tag: "item", Attrs: waBinary.Attrs{"id": "more"}}, {Tag: "item"}, {Tag: "other"}}},
		}}
		if test.kind != "" {
			node.Attrs["type"] = test.kind
		}
		l.send(node)
		got := waitFor[*interop.Receipt](s.events)
		if got.Type != test.want || strings.Join(got.IDs, " ") != id+" more" || got.Chat != bobJID || got.Timestamp.Unix() != 1_760_000_000 {
			t.Errorf("%q: got %+v", test.kind, got)
		}
		l.wantReceipt("ack", id, test.kind)
	}
	for _, node := range []waBinary.Node{
		{Tag: "receipt", Attrs: waBinary.Attrs{"from": bobJID, "id": "X", "type": "read-self"}},
		{Tag: "receipt", Attrs: waBinary.Attrs{"from": types.ServerJID, "id": "X"}},
		{Tag: "receipt", Attrs: waBinary.Attrs{"from": bobJID, "id": strings.Repeat("x", 200)}},
	} {
		l.send(node)
		l.next("ack")
	}
	s.stop()
	s.events.none()
}

func TestReceiptIsAcknowledgedAfterTheHandlerInParts(t *testing.T) {
	_, s, l := started(t)
	failures := 2
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if receipt, ok := event.(*interop.Receipt); ok && receipt.IDs[0] == "ID256" && failures > 0 {
			failures--
			return errStoreDown
		}
		return nil
	})
	var items []waBinary.Node
	for i := 1; i < 600; i++ {
		items = append(items, waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"id": fmt.Sprint("ID", i)}})
	}
	l.send(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"from": bobJID, "id": "ID0", "type": "read"}, Content: []waBinary.Node{{Tag: "list", Content: items}}})
	l.wantReceipt("ack", "ID0", "read")
	for _, want := range []int{256, 256, 88} {
		if got := waitFor[*interop.Receipt](s.events); len(got.IDs) != want {
			t.Errorf("got %d ids, want %d", len(got.IDs), want)
		}
	}
	s.events.none()
}

func TestSendReceipt(t *testing.T) {
	_, s, l := started(t)
	at := time.Unix(1_760_000_000, 0)
	ids := make([]types.MessageID, 300)
	for i := range ids {
		ids[i] = fmt.Sprint("ID", i)
	}
	if err := s.SendReceipt(context.Background(), bobJID, ids, interop.ReceiptRead, at); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 2 {
		node := l.next("receipt")
		if node.Attrs["to"] != bobJID || node.Attrs["type"] != "read" || node.Attrs["t"] != "1760000000" {
			t.Errorf("got %s", node.String())
		}
		got = append(got, node.Attrs["id"].(string))
		for _, item := range childOf(node, "list").GetChildren() {
			got = append(got, item.Attrs["id"].(string))
		}
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Errorf("got %d ids", len(got))
	}
	if err := s.SendReceipt(context.Background(), bobJID, nil, interop.ReceiptRead, at); err != nil {
		t.Error(err)
	}
}

func TestPictureNotification(t *testing.T) {
	_, s, l := started(t)
	l.send(waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"type": "picture", "from": bobJID, "id": "N"}, Content: []waBinary.Node{{Tag: "set"}}})
	l.wantReceipt("ack", "N", "picture")
	if got := waitFor[*interop.ContactChanged](s.events); got.Contact != bobJID {
		t.Errorf("got %+v", got)
	}
	l.send(waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"type": "news", "from": bobJID, "id": "M"}})
	l.wantReceipt("ack", "M", "news")
}

package phone_test

import (
	"fmt"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"postern/gatekeeper/phone"
)

func chatOf(t *testing.T, p *phone.Phone, key string) (phone.Chat, []phone.Message) {
	t.Helper()
	chat, messages, ok := p.Chat(key)
	if !ok {
		t.Fatalf("there is no chat %s", key)
	}
	return chat, messages
}

func TestAStrangersMessageIsARequest(t *testing.T) {
	p := phone.Offline(registry{})
	change := p.Change()
	p.Handle(comes("5", false, "A", words("hello")))
	select {
	case <-change:
	default:
		t.Error("the change is not told")
	}
	chat, messages := chatOf(t, p, "5")
	if !chat.Request || chat.Unread != 1 || chat.ID != "@5:example.org" || chat.Line != "hello" || len(messages) != 1 {
		t.Errorf("got %+v", chat)
	}
	p.Handle(comes("9", false, "A", words("a friend on WhatsApp")))
	if chat, _ = chatOf(t, p, "9"); chat.Request {
		t.Error("a WhatsApp user needs a request")
	}
	p.Handle(comes("5", true, "B", words("written on another device")))
	if chat, _ = chatOf(t, p, "5"); chat.Request || !chat.LineMine {
		t.Errorf("writing to somebody does not accept them: %+v", chat)
	}
	if err := p.Decline("5"); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := p.Chat("5"); ok {
		t.Error("the chat is still there")
	}
	if messages, _ := p.Remembered(); messages != 1 {
		t.Errorf("%d messages are remembered", messages)
	}
}

func TestNobodyChangesWhatTheOtherWrote(t *testing.T) {
	p := phone.Offline(registry{})
	p.Handle(comes("5", false, "THEIRS", words("theirs")))
	p.Handle(comes("5", true, "MINE", words("mine")))
	for _, id := range []string{"MINE", "UNKNOWN"} {
		p.Handle(comes("5", false, "X", about(waE2E.ProtocolMessage_REVOKE, id, nil)))
		p.Handle(comes("5", false, "Y", about(waE2E.ProtocolMessage_MESSAGE_EDIT, id, words("forged"))))
	}
	if _, messages := chatOf(t, p, "5"); len(messages) != 2 || messages[1].Deleted || messages[1].Text != "mine" {
		t.Errorf("got %+v", messages)
	}
	p.Handle(comes("5", false, "Z", about(waE2E.ProtocolMessage_MESSAGE_EDIT, "THEIRS", words("changed"))))
	if _, messages := chatOf(t, p, "5"); messages[0].Text != "changed" || !messages[0].Edited {
		t.Errorf("got %+v", messages[0])
	}
	p.Handle(comes("5", false, "W", about(waE2E.ProtocolMessage_REVOKE, "THEIRS", nil)))
	p.Handle(comes("5", false, "V", about(waE2E.ProtocolMessage_MESSAGE_EDIT, "THEIRS", words("back again"))))
	if _, messages := chatOf(t, p, "5"); !messages[0].Deleted || messages[0].Text != "" {
		t.Errorf("got %+v", messages[0])
	}
}

func TestReactionsAreOnTheRightMessage(t *testing.T) {
	p := phone.Offline(registry{})
	p.Handle(comes("5", false, "SAME", words("theirs")))
	p.Handle(comes("5", true, "SAME", words("mine, with the same id")))
	p.Handle(comes("5", false, "R", reaction("🎉", "SAME", true))) // as they see it, it is their own
	p.Handle(comes("5", false, "S", reaction("😀", "SAME", false)))
	p.Handle(comes("5", true, "T", reaction(strings.Repeat("😂", 1000), "SAME", false)))
	_, messages := chatOf(t, p, "5")
	if messages[0].TheirReaction != "🎉" || messages[1].TheirReaction != "😀" || messages[1].Reaction != "" || len(messages[0].Reaction) > 100 || messages[0].Reaction == "" {
		t.Errorf("got %+v", messages)
	}
	p.Handle(comes("5", false, "U", reaction("", "SAME", true)))
	if _, messages = chatOf(t, p, "5"); messages[0].TheirReaction != "" || messages[1].TheirReaction != "😀" {
		t.Errorf("got %+v", messages)
	}
}

func TestTicksOnlyGoForward(t *testing.T) {
	p := phone.Offline(registry{})
	p.Handle(comes("5", true, "A", words("mine")))
	for _, step := range []struct {
		kind types.ReceiptType
		want phone.Tick
	}{
		{types.ReceiptTypeDelivered, phone.Delivered}, {types.ReceiptTypeRead, phone.Read}, {types.ReceiptTypeDelivered, phone.Read},
		{types.ReceiptTypeRetry, phone.Read},
	} {
		chat := types.NewJID("5", types.HiddenUserServer)
		p.Handle(&events.Receipt{MessageSource: types.MessageSource{Chat: chat, Sender: chat}, MessageIDs: []string{"A", "B"}, Type: step.kind})
		if _, messages := chatOf(t, p, "5"); messages[0].Tick != step.want {
			t.Errorf("after %q it is %s, want %s", step.kind, messages[0].Tick, step.want)
		}
	}
}

func TestAMessageTakesThePlaceOfWhatWaitedForIt(t *testing.T) {
	p := phone.Offline(registry{})
	event := comes("5", false, "A", words("at last"))
	p.Handle(&events.UndecryptableMessage{Info: event.Info})
	p.Handle(comes("5", false, "B", words("the next")))
	p.Handle(event)
	p.Handle(event)
	chat, messages := chatOf(t, p, "5")
	if len(messages) != 2 || messages[0].Text != "at last" || chat.Unread != 2 {
		t.Errorf("got %+v, %d unread", messages, chat.Unread)
	}
}

func TestAFloodOfStrangersIsForgottenBeforeFriends(t *testing.T) {
	p := phone.Offline(registry{})
	p.Handle(comes("9", false, "A", words("a friend")))
	for i := range 1000 {
		p.Handle(comes(fmt.Sprint(1000+i), false, "A", words("hello")))
	}
	if chats := p.Chats(); len(chats) != phone.MaxChats {
		t.Errorf("there are %d chats", len(chats))
	}
	chatOf(t, p, "9")
	if messages, _ := p.Remembered(); messages != phone.MaxChats {
		t.Errorf("%d messages are remembered", messages)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	p := phone.Offline(registry{})
	large := strings.Repeat("x", 100<<10)
	for i := range 1000 {
		p.Handle(comes(fmt.Sprint(i%3+1), false, fmt.Sprint("LARGE", i), words(large)))
	}
	if messages, bytes := p.Remembered(); bytes > phone.MaxBytes || messages == 0 {
		t.Errorf("%d messages of %d bytes", messages, bytes)
	}
	for i := range phone.MaxMessages + 10 {
		p.Handle(comes("5", false, fmt.Sprint("SMALL", i), words("x")))
	}
	if messages, bytes := p.Remembered(); messages != phone.MaxMessages || bytes > 10*phone.MaxMessages {
		t.Errorf("%d messages of %d bytes", messages, bytes)
	}
	if chat, messages := chatOf(t, p, "5"); chat.Unread != len(messages) {
		t.Errorf("%d of %d are unread", chat.Unread, len(messages))
	}
}

func TestAChangedIdentityIsShownInTheChat(t *testing.T) {
	p := phone.Offline(registry{})
	p.Handle(comes("5", false, "A", words("hello")))
	for range 2 {
		p.Handle(&events.IdentityChange{JID: types.NewJID("5", types.HiddenUserServer)})
	}
	p.Handle(&events.IdentityChange{JID: types.NewJID("6", types.HiddenUserServer)})
	if chat, messages := chatOf(t, p, "5"); len(messages) != 3 || messages[2].Kind != phone.KindNotice || chat.Unread != 1 {
		t.Errorf("got %+v", messages)
	}
}

func TestNamesOfContactsAreShownTidy(t *testing.T) {
	p := phone.Offline(registry{})
	event := comes("5", false, "A", words("hello"))
	event.Info.PushName = "\u202E" + strings.Repeat("evil\u200B ", 3000)
	p.Handle(event)
	if chat, _ := chatOf(t, p, "5"); len(chat.Name) > 200 || !strings.HasPrefix(chat.Name, "evil evil") || chat.ID != "@5:example.org" {
		t.Errorf("the name is %q", chat.Name)
	}
	event = comes("5", false, "B", words("hello"))
	event.Info.PushName = "\u2066\u2069"
	p.Handle(event)
	if chat, _ := chatOf(t, p, "5"); chat.Name != "@5:example.org" {
		t.Errorf("the name is %q", chat.Name)
	}
}

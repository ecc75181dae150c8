package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/browser"
	"postern/testbed/matrixuser"
	"postern/testbed/servertest"
	"postern/testbed/stack"
)

var (
	desktop  = browser.View{Width: 1100, Height: 760}
	handheld = browser.View{Width: 390, Height: 780, Still: true}
)

// pagePhone is somebody who uses the sandbox's phone page in a browser.
type pagePhone struct {
	*browser.Tab
	contact *stack.Contact
	url     string
}

// newPagePhone makes a WhatsApp user whose only device is the phone page.
func newPagePhone(t *testing.T, ctx context.Context, s *stack.Stack, view browser.View) *pagePhone {
	t.Helper()
	bob := newContact(t, ctx, s, "Bob", 0)
	address := must(s.Gatekeeper.OpenPhone(ctx, bob.Phone))(t)
	return &pagePhone{Tab: inBrowser(t, ctx, address+"/third-party", view), contact: bob, url: address}
}

func (p *pagePhone) click(t *testing.T, ctx context.Context, selector string) {
	t.Helper()
	if err := p.Click(ctx, selector); err != nil {
		t.Fatal(err)
	}
}

func (p *pagePhone) waitFor(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.WaitFor(ctx, expression); err != nil {
		t.Fatal(err)
	}
}

// sees waits until one of the elements contains the words.
func (p *pagePhone) sees(t *testing.T, ctx context.Context, selector, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.WaitText(ctx, selector, words); err != nil {
		t.Fatal(err)
	}
}

// writes types a message and sends it with the Enter key.
func (p *pagePhone) writes(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	if err := p.Type(ctx, "#text", text+"\n"); err != nil {
		t.Fatal(err)
	}
	p.sees(t, ctx, ".mine .text", text)
	p.waitFor(t, ctx, `document.querySelector("#text").value === "" && document.activeElement.id === "text"`)
}

// goes loads another page of the phone.
func (p *pagePhone) goes(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	if err := p.Go(ctx, p.url+path); err != nil {
		t.Fatal(err)
	}
}

// accepts opens the only request and accepts it.
func (p *pagePhone) accepts(t *testing.T, ctx context.Context, words string) {
	t.Helper()
	p.sees(t, ctx, "#list", "1 request")
	p.click(t, ctx, `#list a[href*="/chats/"]`)
	p.sees(t, ctx, ".bubble", words)
	p.click(t, ctx, `form[action$="/accept"] button`)
	if err := p.Wait(ctx, "#text"); err != nil {
		t.Fatal(err)
	}
}

// bubble is the selector of the message with the words, in the page's language.
func bubble(words string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".message")].find((e) => e.textContent.includes(%q))`, words)
}

// presses opens the menu of the message with the words and clicks on something in it.
func (p *pagePhone) presses(t *testing.T, ctx context.Context, words, selector string) {
	t.Helper()
	script := fmt.Sprintf(`{ const m = %s; m.querySelector("summary").click(); m.querySelector(%q).click(); true }`, bubble(words), selector)
	if _, err := browser.Evaluate[bool](ctx, p.Tab, script); err != nil {
		t.Fatal(err)
	}
}

// TestThePhonePageTalksWithAMatrixUser is one conversation in all its forms, both ways, seen in a browser.
func TestThePhonePageTalksWithAMatrixUser(t *testing.T) {
	ctx, s := shared(t)
	alice := newEnlisted(t, ctx, s, "alice")
	bob := newPagePhone(t, ctx, s, desktop)
	room := alice.startChat(t, ctx, bob.contact.Phone)

	hello := unique("hello")
	first := alice.writes(t, ctx, room, "*"+hello+"* & <b>markup</b>")
	picture := alice.sendsFile(t, ctx, room, matrixuser.FileOptions{MsgType: event.MsgImage, FileName: "p.jpg", MimeType: "image/jpeg", Data: jpegOf(t, 320, 200)})
	bob.sees(t, ctx, "#list", "1 request")
	bob.sees(t, ctx, "#list", "Picture") // the last news, so that the list stands still under the click
	bob.click(t, ctx, `#list a[href*="/chats/"]`)
	bob.sees(t, ctx, ".bubble", hello+"* & <b>markup</b>")
	bob.sees(t, ctx, ".held", "shown when you accept")
	bob.sees(t, ctx, "#head", alice.ID().String())
	checkNothingLeft(t, ctx, s, bob, alice)
	bob.click(t, ctx, `form[action$="/accept"] button`)
	alice.sees(t, ctx, "Bob's read receipt", matrixuser.ReadBySomeoneElse(picture, alice.ID(), s.Bot()))
	bob.waitFor(t, ctx, `document.querySelector(".picture img")?.naturalWidth === 320`)

	// What the page's user does.
	bob.talks(t, ctx, alice, room, first, hello)
	// What the other side does.
	answer := unique("answer")
	written := alice.writes(t, ctx, room, answer)
	bob.sees(t, ctx, ".theirs .text", answer)
	must(alice.React(ctx, room, written, "🎉"))(t)
	bob.waitFor(t, ctx, bubble(answer)+`.querySelector(".reactions")?.textContent.includes("🎉")`)
	changed := unique("changed")
	must(alice.Edit(ctx, room, written, changed))(t)
	bob.sees(t, ctx, ".theirs .text", changed)
	bob.waitFor(t, ctx, bubble(changed)+`.querySelector(".foot").textContent.includes("edited")`)
	must(alice.Redact(ctx, room, written))(t)
	bob.sees(t, ctx, ".theirs .gone", "deleted")
	if err := alice.Typing(ctx, room, true); err != nil {
		t.Fatal(err)
	}
	bob.sees(t, ctx, "#head", "typing…")
	bob.waitFor(t, ctx, `document.querySelector("#announcer").textContent.includes("typing")`)
}

// talks writes, answers, reacts, sends a picture and deletes, and waits until the Matrix user has it.
func (p *pagePhone) talks(t *testing.T, ctx context.Context, alice *bridgeUser, room id.RoomID, first id.EventID, words string) {
	t.Helper()
	said := unique("said")
	p.writes(t, ctx, said)
	received := alice.receives(t, ctx, said)
	alice.sees(t, ctx, "typing", matrixuser.TypingIn(room, received.Sender, true))
	p.waitFor(t, ctx, bubble(said)+`.querySelector(".tick-delivered") !== null`)
	if err := alice.MarkRead(ctx, room, received.ID); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, ctx, bubble(said)+`.querySelector(".tick-read") !== null`)

	p.presses(t, ctx, words, ".menu a")
	p.waitFor(t, ctx, `document.querySelector(".answering") !== null && document.activeElement.id === "text"`)
	p.writes(t, ctx, unique("reply"))
	alice.sees(t, ctx, "the answer", matrixuser.ReplyTo(first))
	p.presses(t, ctx, words, `button[value="😂"]`)
	alice.sees(t, ctx, "the reaction", matrixuser.ReactionTo(first, "😂"))
	p.waitFor(t, ctx, bubble(words)+`.querySelector(".reactions")?.textContent.includes("😂")`)

	path := filepath.Join(servertest.Dir(t), "picture.jpg")
	if err := os.WriteFile(path, jpegOf(t, 200, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Pick(ctx, "input[type=file]", path); err != nil {
		t.Fatal(err)
	}
	p.writes(t, ctx, "with words")
	file := alice.sees(t, ctx, "the picture", matrixuser.FileIn(room, received.Sender, event.MsgImage))
	if body := file.Content.AsMessage().Body; body != "with words" {
		t.Errorf("the picture's words are %q", body)
	}
	p.presses(t, ctx, said, `form[action$="/delete"] button`)
	alice.sees(t, ctx, "the deletion", matrixuser.RedactionOf(received.ID))
	p.sees(t, ctx, ".mine .gone", "You deleted this message")
}

// checkNothingLeft: before a request is accepted nothing but delivery receipts goes out, and no file is fetched.
func checkNothingLeft(t *testing.T, ctx context.Context, s *stack.Stack, bob *pagePhone, alice *bridgeUser) {
	t.Helper()
	saw, err := s.Gatekeeper.SawSoFar(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range saw {
		mine := strings.HasPrefix(record.From, bob.contact.JID.User)
		if mine && (record.Kind == "receipt read" || strings.HasPrefix(record.Kind, "chatstate") || strings.HasPrefix(record.Kind, "media")) {
			t.Errorf("before accepting the phone sent %+v", record)
		}
	}
}

// TestThePhonePageTurnsThirdPartyChatsOff, refuses a partner, and blocks: each time the sender learns what there is to learn.
func TestThePhonePageTurnsThirdPartyChatsOff(t *testing.T) {
	ctx, s := shared(t)
	alice := newEnlisted(t, ctx, s, "alice")
	bob := newPagePhone(t, ctx, s, handheld)
	room := alice.startChat(t, ctx, bob.contact.Phone)
	hello := unique("hello")
	alice.writes(t, ctx, room, hello)
	bob.accepts(t, ctx, hello)
	chat := must(url.Parse(must(browser.Evaluate[string](ctx, bob.Tab, `location.href`))(t)))(t)
	chatPath := strings.TrimPrefix(chat.String(), bob.url)

	for _, box := range []string{"third-party", "partner-1"} {
		bob.sets(t, ctx, box)
		alice.isTold(t, ctx, room, alice.writes(t, ctx, room, unique("anyone-there")), "does not accept third-party chats")
		bob.sets(t, ctx, box)
		back := unique("back")
		alice.writes(t, ctx, room, back)
		bob.goes(t, ctx, chatPath)
		bob.sees(t, ctx, ".theirs .text", back)
	}
	bob.sets(t, ctx, "inbox][value=one")
	bob.goes(t, ctx, "")
	bob.waitFor(t, ctx, `document.querySelector(".folder") === null && document.querySelector("#list a[href*='/chats/']") !== null`)

	bob.goes(t, ctx, chatPath+"/about")
	bob.waitFor(t, ctx, `/^(\d{5}\s*){12}$/.test(document.querySelector(".code").textContent)`)
	bob.click(t, ctx, `form[action$="/block"] button`)
	bob.sees(t, ctx, "#foot", "You blocked this contact")
	unheard := alice.writes(t, ctx, room, unique("unheard"))
	alice.sees(t, ctx, "success", matrixuser.StatusOf(unheard, event.MessageStatusSuccess))
	bob.click(t, ctx, `form[action$="/unblock"] button`)
	again := unique("again")
	alice.writes(t, ctx, room, again)
	bob.sees(t, ctx, ".theirs .text", again)
	if shown := must(browser.Evaluate[string](ctx, bob.Tab, `document.body.textContent`))(t); strings.Contains(shown, "unheard") {
		t.Error("a blocked contact's message is shown")
	}
}

// sets clicks on one of the settings and saves them.
func (p *pagePhone) sets(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	p.goes(t, ctx, "/settings")
	p.click(t, ctx, fmt.Sprintf(`input[name=%s]`, name))
	p.click(t, ctx, ".card .primary")
	p.waitFor(t, ctx, `location.search === "?saved"`)
}

package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestALinkNeedsAnEncryptedChat: an admin whose chat with the bot is not encrypted gets none, until they did what the bot says.
func TestALinkNeedsAnEncryptedChat(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root := must(s.NewUser(ctx, unique("root")))(t)
	editBridge(t, ctx, s, func(config map[string]any) { config["admins"] = []string{root.ID().String()} })
	clear := must(root.InviteToDirectChat(ctx, s.Bot(), false))(t)
	must(root.Wait(ctx, "the welcome", matrixuser.MessageIn(clear, s.Bot(), "marked as your management room")))(t)
	encrypted := must(root.StartDirectChat(ctx, s.Bot()))(t)
	ask := func(text, words string) *event.Event {
		t.Helper()
		mark := root.Mark()
		must(root.SendText(ctx, encrypted, text))(t)
		return must(root.WaitAfter(ctx, mark, "answer to "+text, matrixuser.MessageIn(encrypted, s.Bot(), words)))(t)
	}

	refusal := ask("!postern admin-page", "goes only into an encrypted chat").Content.AsMessage().Body
	const remedy = "!postern set-management-room"
	if !strings.Contains(refusal, remedy) {
		t.Errorf("the bot does not say what to do: %s", refusal)
	}
	ask(remedy, "updated")
	if answer := ask("admin-page", "logs you in"); !answer.Mautrix.WasEncrypted || !linkShape.MatchString(answer.Content.AsMessage().Body) {
		t.Errorf("got %s", answer.Content.AsMessage().Body)
	}
	all := must(root.Client.Messages(ctx, clear, "", "", mautrix.DirectionBackward, nil, 100))(t)
	if text := string(must(json.Marshal(all.Chunk))(t)); strings.Contains(text, "link=") || !strings.Contains(text, "marked as your management room") {
		t.Errorf("in the chat that is not encrypted there is %s", text)
	}
}

package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/leak"
	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// chatted is a conversation in both directions, so that there is something to erase.
func chatted(t *testing.T, ctx context.Context, s *stack.Stack, alice *bridgeUser, bob *stack.Contact) id.RoomID {
	t.Helper()
	room, there, back := alice.startChat(t, ctx, bob.Phone), unique("there"), unique("back")
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	tells(t, ctx, bob, alice, back)
	alice.receives(t, ctx, back)
	return room
}

// TestWhoLeavesIsForgotten: the gatekeeper confirms, the contact cannot write any more, and the bridge's database holds nothing
// of the chat.
func TestWhoLeavesIsForgotten(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	alice.command(t, ctx, "logout", "You have left")
	if _, err := s.Gatekeeper.Account(ctx, alice.ID().String()); err == nil {
		t.Error("the gatekeeper still knows the user")
	}
	alice.sees(t, ctx, "notice of the end", matrixuser.NoticeIn(room, s.Bot(), "This chat has ended"))
	alice.sees(t, ctx, "the bot leaving", matrixuser.MembershipOf(room, s.Bot(), event.MembershipLeave))
	if members, err := alice.Client.JoinedMembers(ctx, room); err != nil || len(members.Joined) != 1 {
		t.Errorf("who is left in the room: %v, %v", members, err)
	}
	restart(t, ctx, s)
	nothingLeft(t, ctx, s, strings.TrimPrefix(bob.Phone, "+"))
	alice.command(t, ctx, "logout", "not enlisted with anyone")
}

func TestRoomsAreClosedIfTheConfigSaysSo(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	editBridge(t, ctx, s, func(config map[string]any) { config["on_leave"] = "close" })
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	alice.command(t, ctx, "erase", "cannot be undone")
	alice.command(t, ctx, "no", "Nothing is erased")
	alice.command(t, ctx, "erase", "cannot be undone")
	alice.command(t, ctx, "yes", "You have left")
	alice.sees(t, ctx, "the user taken out", matrixuser.MembershipOf(room, alice.ID(), event.MembershipLeave))
}

// TestLeavingSurvivesKillsAndOutages: while the gatekeeper is away the chats are erased, the user is told what is left, and
// a killed bridge goes on.
func TestLeavingSurvivesKillsAndOutages(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	if err := s.Gatekeeper.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	alice.command(t, ctx, "logout "+stack.GatekeeperID, "I am telling")
	s.Bridge.Kill()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	alice.sees(t, ctx, "what is left", matrixuser.NoticeIn(alice.Management, s.Bot(), "cannot be told at the moment"))
	alice.command(t, ctx, "erase pending", "tried again at")
	if said := postern(t, ctx, s, "erase", "--pending"); !strings.Contains(said, alice.ID().String()+": ") || !strings.Contains(said, "tried again at") {
		t.Errorf("what is left, for the admin: %q", said)
	}
	s.Bridge.Kill()
	if err := s.Gatekeeper.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	alice.sees(t, ctx, "the end", matrixuser.NoticeIn(alice.Management, s.Bot(), "You have left"))
	if _, err := s.Gatekeeper.Account(ctx, alice.ID().String()); err == nil {
		t.Error("the gatekeeper still knows the user")
	}
	ended := 0
	for _, evt := range alice.Since(0) {
		if matrixuser.NoticeIn(room, s.Bot(), "This chat has ended")(evt) {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("the end of the chat was told %d times", ended)
	}
	alice.command(t, ctx, "erase pending", "Nothing of you is left")
}

// TestAdminErasesAUser: the command line works beside the daemon.
func TestAdminErasesAUser(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	exported := postern(t, ctx, s, "export", alice.ID().String())
	checkExport(t, []byte(exported), alice, bob, room)
	mark := alice.Mark()
	if said := postern(t, ctx, s, "erase", alice.ID().String()); !strings.Contains(said, alice.ID().String()) {
		t.Errorf("erase said %q", said)
	}
	if _, err := alice.WaitAfter(ctx, mark, "the end", matrixuser.NoticeIn(alice.Management, s.Bot(), "You have left")); err != nil {
		t.Fatal(err)
	}
	restart(t, ctx, s)
	nothingLeft(t, ctx, s, strings.TrimPrefix(bob.Phone, "+"))
}

// TestUsersGetTheirData sends a file into the user's own room.
func TestUsersGetTheirData(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	mark := alice.Mark()
	alice.writes(t, ctx, alice.Management, "export")
	file := must(alice.WaitAfter(ctx, mark, "the file", matrixuser.FileIn(alice.Management, s.Bot(), event.MsgFile)))(t)
	content := must(alice.DownloadFile(ctx, file.Content.AsMessage()))(t)
	checkExport(t, content, alice, bob, room)
}

func checkExport(t *testing.T, content []byte, alice *bridgeUser, bob *stack.Contact, room id.RoomID) {
	t.Helper()
	var export struct {
		About, User string
		Enlistments []struct {
			State   string
			Consent struct {
				Version int
				Text    string
			}
		}
		Logins []struct {
			Chats []struct {
				Contact, Name, Room string
				Identifiers         []string
				Messages            []struct{ ID, Event, Sender string }
			}
		}
	}
	if err := json.Unmarshal(content, &export); err != nil {
		t.Fatalf("%v: %s", err, content)
	}
	if export.User != alice.ID().String() || len(export.Enlistments) != 1 || export.Enlistments[0].State != "enlisted" ||
		!strings.Contains(export.Enlistments[0].Consent.Text, "Enlisting with") || !strings.Contains(export.About, "not stored") {
		t.Errorf("export: %s", content)
	}
	if len(export.Logins) != 1 || len(export.Logins[0].Chats) != 1 {
		t.Fatalf("export: %s", content)
	}
	chat := export.Logins[0].Chats[0]
	if chat.Room != room.String() || chat.Name == "" || len(chat.Messages) != 2 || !strings.Contains(chat.Contact, bob.JID.User) {
		t.Errorf("chat: %+v", chat)
	}
	if strings.Contains(string(content), "there-") || strings.Contains(string(content), "back-") {
		t.Error("the export says what was said")
	}
}

// postern runs a command of the program beside the daemon.
func postern(t *testing.T, ctx context.Context, s *stack.Stack, args ...string) string {
	t.Helper()
	binary := must(builder.Postern(ctx))(t)
	command := exec.CommandContext(ctx, binary, append(args, "--config", s.Bridge.ConfigFile())...)
	command.Dir = s.Bridge.Dir()
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("postern %v: %v: %s", args, err, output)
	}
	return string(output)
}

func restart(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	editBridge(t, ctx, s, func(map[string]any) {})
}

// editBridge restarts the bridge with another config.
func editBridge(t *testing.T, ctx context.Context, s *stack.Stack, edit func(map[string]any)) {
	t.Helper()
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.EditConfig(edit); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// nothingLeft stops the bridge and looks for the texts, such as a contact's number, in all tables and, as far as SQLite overwrites
// what is deleted, in the file.
func nothingLeft(t *testing.T, ctx context.Context, s *stack.Stack, texts ...string) {
	t.Helper()
	waitReady(t, ctx, s) // rows of contacts go while the bridge starts, after it takes messages
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	raw := openDatabase(t, ctx, s)
	for _, table := range []string{
		"portal", "message", "reaction", "ghost", "user_login", "user_portal", "disappearing_message", "postern_enlistment",
		"postern_session", "postern_identity", "postern_outgoing", "postern_received", "postern_prekey", "postern_signed_prekey",
	} {
		var count int
		if err := raw.QueryRow(ctx, "SELECT COUNT(*) FROM "+table).Scan(&count); err != nil || count > 0 {
			t.Errorf("%d rows are left in %s, %v", count, table, err)
		}
	}
	if s.Postgres == nil {
		notInTheFile(t, ctx, s, raw, texts)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

func notInTheFile(t *testing.T, ctx context.Context, s *stack.Stack, raw *dbutil.Database, texts []string) {
	t.Helper()
	_, err := raw.RawDB.ExecContext(ctx, "VACUUM")
	if err == nil {
		_, err = raw.RawDB.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err = raw.Close(); err != nil {
		t.Fatal(err)
	}
	var secrets []leak.Secret
	for _, text := range texts {
		secrets = append(secrets, leak.Secret{What: text, Value: []byte(text)})
	}
	dir := t.TempDir()
	content := must(os.ReadFile(filepath.Join(s.Dir("bridge"), "postern.db")))(t)
	if err = os.WriteFile(filepath.Join(dir, "postern.db"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	report(t, secrets, nil, dir)
}

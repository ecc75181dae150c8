package matrixuser_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
	"postern/testbed/record"
	"postern/testbed/servertest"
)

func newUser(t *testing.T, server *homeserver.Server, name string) *matrixuser.User {
	t.Helper()
	ctx := servertest.Context(t, servertest.Limit)
	account, err := server.CreateUser(ctx, name, "password of "+name)
	if err != nil {
		t.Fatal(err)
	}
	user, err := matrixuser.New(ctx, matrixuser.Options{
		HomeserverURL: server.URL(), Account: account, Dir: servertest.Dir(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := user.Close(); err != nil {
			t.Error(err)
		}
	})
	return user
}

// TestEncryptedChat lets two users talk, the way a user and a bridge will.
func TestEncryptedChat(t *testing.T) {
	server := servertest.Start(t, homeserver.Options{})
	alice, bob := newUser(t, server, "alice"), newUser(t, server, "bob")
	ctx := servertest.Context(t, servertest.Limit)

	room, err := alice.InviteToDirectChat(ctx, bob.ID(), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = bob.Wait(ctx, "invitation", matrixuser.MembershipOf(room, bob.ID(), event.MembershipInvite)); err != nil {
		t.Fatal(err)
	}
	if err = bob.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "join", matrixuser.MembershipOf(room, bob.ID(), event.MembershipJoin)); err != nil {
		t.Fatal(err)
	}

	const words = "meet me at the postern"
	sent, err := alice.SendText(ctx, room, words)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = bob.WaitMessage(ctx, room, alice.ID(), words); err != nil {
		t.Fatal(err)
	}
	stored, err := bob.StoredEvent(ctx, room, sent)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Type != event.EventEncrypted.Type || strings.Contains(string(stored.JSON), words) {
		t.Errorf("the server holds the message as %s: %s", stored.Type, stored.JSON)
	}

	if err = bob.Typing(ctx, room, true); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "typing", matrixuser.TypingIn(room, bob.ID(), true)); err != nil {
		t.Error(err)
	}
	if err = bob.MarkRead(ctx, room, sent); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "read receipt", matrixuser.ReadReceiptBy(bob.ID(), sent)); err != nil {
		t.Error(err)
	}
}

func TestTranscriptKeepsTheServersOrder(t *testing.T) {
	server := servertest.Start(t, homeserver.Options{})
	alice := newUser(t, server, "alice")
	ctx := servertest.Context(t, servertest.Limit)
	room, err := alice.InviteToDirectChat(ctx, "", true)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"one", "two", "three"}
	for _, words := range want {
		if _, err = alice.SendMarkdown(ctx, room, words); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = alice.WaitMessage(ctx, room, alice.ID(), want[len(want)-1]); err != nil {
		t.Fatal(err)
	}
	messages, err := alice.Transcript(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, message := range messages {
		got = append(got, message.Content.AsMessage().Body)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUserSurvivesAHomeserverRestart(t *testing.T) {
	server := servertest.Start(t, homeserver.Options{})
	alice := newUser(t, server, "alice")
	ctx := servertest.Context(t, servertest.Limit)
	room, err := alice.InviteToDirectChat(ctx, "", true)
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err = server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.SendText(ctx, room, "still here"); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.WaitMessage(ctx, room, alice.ID(), "still here"); err != nil {
		t.Error(err)
	}
}

func TestWaitingInVainSaysWhatCame(t *testing.T) {
	server := servertest.Start(t, homeserver.Options{})
	alice := newUser(t, server, "alice")
	room, err := alice.InviteToDirectChat(servertest.Context(t, servertest.Limit), "", false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = alice.WaitMessage(servertest.Context(t, 10*time.Millisecond), room, "", "nobody says this")
	if !errors.Is(err, record.ErrNoMatch) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), event.StateMember.Type) {
		t.Errorf("the error does not list what came: %v", err)
	}
}

// TestUsersOfTwoServersMeet shows that federation works between servers on one machine.
func TestUsersOfTwoServersMeet(t *testing.T) {
	here := servertest.Start(t, homeserver.Options{Federation: true})
	there := servertest.Start(t, homeserver.Options{Kind: homeserver.Dendrite, Federation: true})
	alice, mallory := newUser(t, here, "alice"), newUser(t, there, "mallory")
	ctx := servertest.Context(t, servertest.Limit)
	room, err := mallory.InviteToDirectChat(ctx, alice.ID(), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "invitation", matrixuser.MembershipOf(room, alice.ID(), event.MembershipInvite)); err != nil {
		t.Fatal(err)
	}
	if err = alice.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	if _, err = mallory.Wait(ctx, "join", matrixuser.MembershipOf(room, alice.ID(), event.MembershipJoin)); err != nil {
		t.Fatal(err)
	}
	if _, err = mallory.SendText(ctx, room, "greetings from abroad"); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.WaitMessage(ctx, room, mallory.ID(), "greetings from abroad"); err != nil {
		t.Error(err)
	}
}

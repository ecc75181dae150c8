package peer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop"
	"postern/interop/memstore"
	"postern/testbed/cmd/bench/partner"
	"postern/testbed/cmd/bench/peer"
	"postern/testbed/programs"
	"postern/testbed/sandbox"
	"postern/testbed/servertest"
)

// limit is how long one test may take. A passing one takes seconds.
const limit = time.Minute

// world is a gatekeeper with a partner server.
type world struct {
	partner    *partner.Server
	sandbox    *sandbox.Server
	gatekeeper *interop.Gatekeeper
	phones     int
}

func newWorld(t *testing.T) (context.Context, *world) {
	t.Helper()
	ctx := servertest.Context(t, limit)
	builder, err := programs.NewBuilder(false)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := builder.Postern(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{}
	if w.partner, err = partner.Start(ctx, servertest.Dir(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.partner.Close(); err != nil {
			t.Error(err)
		}
	})
	w.sandbox, err = sandbox.New(sandbox.Options{Binary: binary, Dir: servertest.Dir(t), Partner: w.partner.Partner()})
	if err != nil {
		t.Fatal(err)
	}
	if err = w.sandbox.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.sandbox.Kill)
	w.gatekeeper = w.partner.Gatekeeper(w.sandbox)
	return ctx, w
}

func (w *world) newContact(t *testing.T, ctx context.Context) *peer.Contact {
	t.Helper()
	w.phones++
	server := peer.Server{Directory: w.sandbox, ChatURL: w.sandbox.ChatURL().String(), RootKey: w.sandbox.RootKey()}
	contact, err := peer.NewContact(ctx, server, fmt.Sprintf("+49151123400%02d", w.phones), "Bob")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(contact.Close)
	return contact
}

// listener keeps the texts that an interop client gets.
type listener struct {
	peer.Tally
	mu    sync.Mutex
	texts []string
}

func (l *listener) HandleEvent(_ context.Context, event interop.Event) error {
	if message, ok := event.(*interop.Message); ok {
		l.mu.Lock()
		l.texts = append(l.texts, message.Message.GetConversation())
		l.mu.Unlock()
		l.Add(1)
	}
	return nil
}

func (w *world) newClient(t *testing.T, ctx context.Context) (*interop.Client, *listener) {
	t.Helper()
	account, _, err := w.partner.Enlist(ctx, w.gatekeeper, "alice")
	if err != nil {
		t.Fatal(err)
	}
	heard := &listener{}
	client := interop.NewClient(interop.Options{
		Gatekeeper: w.gatekeeper, Account: account, Store: memstore.New(), Tokens: w.partner.Tokens(), Handler: heard,
		Log: zerolog.New(zerolog.NewTestWriter(t)),
	})
	client.Start()
	t.Cleanup(func() {
		if err := client.Stop(servertest.Context(t, limit)); err != nil {
			t.Error(err)
		}
	})
	return client, heard
}

// TestContactsTalkWithTheInteropClient: what contacts encrypt and decrypt is what the real client does.
func TestContactsTalkWithTheInteropClient(t *testing.T) {
	ctx, w := newWorld(t)
	bob := w.newContact(t, ctx)
	client, heard := w.newClient(t, ctx)
	if _, err := bob.Prepare(ctx, "too early"); err == nil {
		t.Error("a contact that nobody wrote to can encrypt")
	}
	questions, answers := []string{"one", "two", "three"}, []string{"four", "five", "six"}
	for i, text := range questions {
		message := &waE2E.Message{Conversation: proto.String(text)}
		if err := client.Send(ctx, bob.JID.ToNonAD(), types.MessageID(fmt.Sprint("ID", i)), message, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := bob.Received.Wait(ctx, len(questions)); err != nil {
		t.Fatal(err)
	}
	got, err := bob.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, questions) {
		t.Errorf("the contact read %q", got)
	}
	stanzas, err := bob.Prepare(ctx, answers...)
	if err != nil {
		t.Fatal(err)
	}
	if err = bob.Send(ctx, stanzas); err != nil {
		t.Fatal(err)
	}
	if err = heard.Wait(ctx, len(answers)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(heard.texts, answers) {
		t.Errorf("the client got %q", heard.texts)
	}
	if err = bob.Delivered.Wait(ctx, len(answers)); err != nil {
		t.Error(err)
	}
}

func TestAChannelSendsMoreThanItsWindow(t *testing.T) {
	ctx, w := newWorld(t)
	bob := w.newContact(t, ctx)
	account, _, err := w.partner.Enlist(ctx, w.gatekeeper, "raw")
	if err != nil {
		t.Fatal(err)
	}
	login, err := w.partner.Login(ctx, w.gatekeeper, account)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := peer.Connect(ctx, login, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(raw.Close)
	const messages = 2*peer.Window + 1
	stanzas, err := peer.Noise(bob.JID, messages)
	if err != nil {
		t.Fatal(err)
	}
	if err = raw.Send(ctx, stanzas); err != nil {
		t.Fatal(err)
	}
	if err = bob.Received.Wait(ctx, messages); err != nil {
		t.Error(err)
	}
}

func TestAMessageThatIsRefusedIsAnError(t *testing.T) {
	ctx, w := newWorld(t)
	bob := w.newContact(t, ctx)
	stanzas, err := peer.Noise(types.NewJID("4915100000000", types.DefaultUserServer), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err = bob.Send(ctx, stanzas); !errors.Is(err, peer.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestALoginThatIsRefusedIsAnError(t *testing.T) {
	ctx, w := newWorld(t)
	account := interop.Account{JID: types.JID{User: "1", Integrator: 1, Server: types.InteropServer}, UserVisibleID: "@eve:bench.test", Keys: interop.NewKeys()}
	login, err := w.partner.Login(ctx, w.gatekeeper, account)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = peer.Connect(ctx, login, nil); !errors.Is(err, peer.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestAnEndedChannelWakesThoseWhoWait(t *testing.T) {
	ctx, w := newWorld(t)
	bob := w.newContact(t, ctx)
	waited := make(chan error, 1)
	go func() { waited <- bob.Received.Wait(ctx, 1) }()
	w.sandbox.Kill()
	if err := <-waited; err == nil {
		t.Error("a message came from nowhere")
	}
	if _, err := bob.Ask(ctx, "get", "w:p"); err == nil {
		t.Error("a request was answered by nobody")
	}
}

package interop_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper"
	"postern/interop"
	"postern/interop/memstore"
	"postern/interop/wire"
	"postern/provider"
)

const (
	sandboxIntegrator = 7
	sandboxAudience   = "interop-test"
)

// sandbox is a gatekeeper on real sockets and the partner server that it knows.
type sandbox struct {
	*gatekeeper.Server
	tb     testing.TB
	config *gatekeeper.Config
	tokens *provider.Provider
}

// keyStore keeps signing keys in memory. They are not rotated.
type keyStore struct {
	provider.KeyStore
	mu   sync.Mutex
	keys []provider.StoredKey
}

func (k *keyStore) SigningKeys(context.Context) ([]provider.StoredKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]provider.StoredKey(nil), k.keys...), nil
}

func (k *keyStore) AddFirstKey(_ context.Context, key provider.StoredKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		k.keys = append(k.keys, key)
	}
	return nil
}

// signingKeys is shared by all sandboxes: making an RSA key is slow.
var signingKeys keyStore

func newSandbox(tb testing.TB) *sandbox {
	tb.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	tb.Cleanup(server.Close)
	tokens, err := provider.New(context.Background(), provider.Options{
		Issuer: server.URL, Domain: "example.org", Keys: &signingKeys, Log: zerolog.Nop(),
		Audiences: []provider.Audience{{Name: sandboxAudience, Integrator: sandboxIntegrator}, {Name: "unknown", Integrator: 99}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	handler = tokens.Handler()
	s := &sandbox{tb: tb, tokens: tokens, config: &gatekeeper.Config{
		Listen: "127.0.0.1:0", Control: "127.0.0.1:0",
		Database: filepath.Join(tb.TempDir(), "gatekeeper.db"), RootKeyFile: filepath.Join(tb.TempDir(), "root.key"),
		Product: "whatsapp", MinimumVersion: gatekeeper.Version{1, 0, 0},
		Partners: []gatekeeper.Partner{{Integrator: sandboxIntegrator, Issuer: server.URL, Audience: sandboxAudience}},
	}}
	s.launch()
	tb.Cleanup(s.stop)
	return s
}

// launch starts a gatekeeper on the sandbox's files, at the address of the one before.
func (s *sandbox) launch() {
	s.tb.Helper()
	server, err := gatekeeper.New(s.config, zerolog.New(zerolog.NewTestWriter(s.tb)).Level(zerolog.ErrorLevel))
	if err == nil {
		err = server.Start(context.Background())
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	s.Server = server
	s.config.Listen = strings.TrimPrefix(server.URL(), "http://")
	s.config.Control = strings.TrimPrefix(server.ControlURL(), "http://")
}

func (s *sandbox) stop() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		s.tb.Errorf("gatekeeper did not stop: %v", err)
	}
}

// control asks the sandbox's control API, which must succeed.
func (s *sandbox) control(method, path string, body, answer any) {
	s.tb.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		s.tb.Fatal(err)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, s.ControlURL()+path, bytes.NewReader(encoded))
	if err != nil {
		s.tb.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		s.tb.Fatalf("%s %s: HTTP status %d", method, path, response.StatusCode)
	} else if answer != nil {
		if err = json.NewDecoder(response.Body).Decode(answer); err != nil {
			s.tb.Fatal(err)
		}
	}
}

func (s *sandbox) fault(name string, body map[string]any) {
	s.tb.Helper()
	s.control(http.MethodPost, "/faults/"+name, body, nil)
}

// registerDevice adds a device to a WhatsApp user.
func (s *sandbox) registerDevice(phone string, noise [32]byte) (number, lid types.JID) {
	s.tb.Helper()
	var answer struct{ JID, LID string }
	s.control(http.MethodPost, "/accounts/"+url.PathEscape(phone)+"/devices", map[string]any{"noise_key": hex.EncodeToString(noise[:])}, &answer)
	var err error
	if number, err = wire.ParseJID(answer.JID); err == nil {
		lid, err = wire.ParseJID(answer.LID)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	return number, lid
}

// saw counts what the sandbox saw of a kind.
func (s *sandbox) saw(kind string) (count int) {
	s.tb.Helper()
	for after := int64(0); ; {
		var answer struct {
			Saw []struct {
				Seq  int64
				Kind string
			}
		}
		s.control(http.MethodGet, fmt.Sprintf("/saw?limit=1000&after=%d", after), nil, &answer)
		if len(answer.Saw) == 0 {
			return count
		}
		for _, record := range answer.Saw {
			after = record.Seq
			if record.Kind == kind {
				count++
			}
		}
	}
}

func (s *sandbox) gatekeeper() *interop.Gatekeeper {
	parse := func(text string) *url.URL {
		location, err := url.Parse(text)
		if err != nil {
			s.tb.Fatal(err)
		}
		return location
	}
	return &interop.Gatekeeper{
		ID: "sandbox", Name: "Sandbox", Product: interop.ProductWhatsApp, Integrator: sandboxIntegrator,
		EnlistURL: parse(s.EnlistURL()), ChatURL: parse(s.ChatURL()), RootKey: s.RootKey(),
		Audience: sandboxAudience, ProtocolVersion: [3]uint32{1, 0, 3},
	}
}

// user is an enlisted user of ours.
type user struct {
	*interop.Client
	tb      testing.TB
	options interop.Options
	events  *recorder
}

// enlist makes a user whose client is not started.
func (s *sandbox) enlist(localpart string, change ...func(*interop.Options)) *user {
	s.tb.Helper()
	u := &user{tb: s.tb, events: newRecorder(s.tb)}
	account := interop.Account{UserVisibleID: "@" + localpart + ":example.org", Keys: interop.NewKeys()}
	target := s.gatekeeper()
	var err error
	account.JID, err = interop.Enlist(context.Background(), nil, target, s.tokens, account.UserVisibleID, account.Keys)
	if err != nil {
		s.tb.Fatal(err)
	}
	u.options = interop.Options{
		Gatekeeper: target, Account: account, Store: memstore.New(), Tokens: s.tokens, Handler: u.events,
		Log:    zerolog.New(zerolog.NewTestWriter(s.tb)).Level(zerolog.ErrorLevel),
		Jitter: func() float64 { return 0 }, ReadReceipts: func() bool { return true },
	}
	for _, apply := range change {
		apply(&u.options)
	}
	u.renew()
	return u
}

// renew makes a new client on the user's store.
func (u *user) renew() {
	u.Client = interop.NewClient(u.options)
	u.tb.Cleanup(u.stop)
}

func (u *user) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := u.Stop(ctx); err != nil {
		u.tb.Errorf("client did not stop: %v", err)
	}
}

// start connects and waits until that is done.
func (u *user) start() *user {
	u.tb.Helper()
	u.Start()
	u.wait(func(event interop.Event) bool {
		_, ok := event.(*interop.Connected)
		return ok
	}, "Connected")
	return u
}

// wait returns the first event that matches; others before it are dropped.
func (u *user) wait(matches func(event interop.Event) bool, what string) interop.Event {
	u.tb.Helper()
	timeout := time.After(patience)
	for {
		select {
		case event := <-u.events.events:
			if matches(event) {
				return event
			}
		case <-timeout:
			u.tb.Fatalf("no %s came", what)
			return nil
		}
	}
}

// waitEvent is wait for a type.
func waitEvent[E interop.Event](u *user) E {
	u.tb.Helper()
	return u.wait(func(event interop.Event) bool {
		_, ok := event.(E)
		return ok
	}, fmt.Sprintf("%T", *new(E))).(E)
}

// waitText waits for a message and returns it. Messages with other texts fail the test.
func (u *user) waitText(want string) *interop.Message {
	u.tb.Helper()
	message := waitEvent[*interop.Message](u)
	if got := message.Message.GetConversation(); got != want {
		u.tb.Fatalf("got %q, want %q", got, want)
	}
	return message
}

func (u *user) write(chat types.JID, content string) types.MessageID {
	u.tb.Helper()
	id := interop.MessageID(u.options.Account.JID, content)
	if err := u.Send(context.Background(), chat, id, text(content), content); err != nil {
		u.tb.Fatal(err)
	}
	return id
}

func (u *user) waitSent(id types.MessageID) {
	u.tb.Helper()
	if result := waitEvent[*interop.SendResult](u); result.ID != id || result.Err != nil {
		u.tb.Fatalf("got %+v, want %s sent", result, id)
	}
}

package bridge_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge"
	"postern/bridge/config"
	"postern/database"
	"postern/interop/wire"
)

const (
	alice  = id.UserID("@alice:example.org")
	wa     = "wa"
	login  = networkid.UserLoginID("wa-77-1001")
	secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

// enlistServer answers enlistments. It has no chat server: connections to that fail.
type enlistServer struct {
	*httptest.Server
	lock    sync.Mutex
	answer  string
	status  int
	asked   []url.Values
	arrived chan struct{}
	called  chan struct{} // an element for each try to connect to the chat server
}

func newEnlistServer(t *testing.T) *enlistServer {
	s := &enlistServer{answer: `{"status":"ok","login":"77-1001@interop"}`, status: 200, arrived: make(chan struct{}, 100), called: make(chan struct{}, 1)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/enlist" {
			select {
			case s.called <- struct{}{}:
			default: // nobody counts them
			}
			http.NotFound(w, r)
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Errorf("failed to read a form: %v", err)
		}
		s.lock.Lock()
		defer s.lock.Unlock()
		s.asked = append(s.asked, r.PostForm)
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answer)
		s.arrived <- struct{}{}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *enlistServer) say(status int, answer string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.status, s.answer = status, answer
}

// keys returns the identity key of each enlistment that came.
func (s *enlistServer) keys() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	keys := make([]string, 0, len(s.asked))
	for _, form := range s.asked {
		keys = append(keys, form.Get("e_ident"))
	}
	return keys
}

// installation is a daemon that has never run, with its files.
type installation struct {
	t      *testing.T
	cfg    *config.Config
	server *enlistServer
	daemon *bridge.Daemon
	user   *bridgev2.User
}

// install makes one with an SQLite database, unless change wants something else.
func install(t *testing.T, change ...func(*config.Config)) *installation {
	t.Helper()
	i := &installation{t: t, cfg: testConfig(), server: newEnlistServer(t)}
	i.cfg.Database = config.Database{Type: config.SQLite, URI: filepath.Join(t.TempDir(), "postern.db")}
	i.cfg.Homeserver.Address = i.server.URL // which refuses everything
	i.cfg.SecretKey = secret
	i.cfg.Public = config.Public{URL: "https://bridge.example.org", MediaDir: filepath.Join(t.TempDir(), "media"), MediaDays: 30}
	i.cfg.Limits.FileMiB = 1
	i.cfg.Limits.LoginsAtOnce = 4
	i.cfg.Gatekeepers = []config.Gatekeeper{{
		ID: wa, Name: "Some Messenger", Product: "whatsapp", Integrator: 77,
		EnlistURL: i.server.URL + "/enlist", ChatURL: "ws" + strings.TrimPrefix(i.server.URL, "http") + "/chat",
		MediaURL: i.server.URL, RootKey: strings.Repeat("ab", 32), Audience: "some audience", ProtocolVersion: "1.2.3",
	}}
	for _, apply := range change {
		apply(i.cfg)
	}
	i.open()
	t.Cleanup(i.close)
	return i
}

func (i *installation) open() {
	i.t.Helper()
	var err error
	if i.daemon, err = bridge.New(context.Background(), i.cfg, "test", zerolog.Nop()); err != nil {
		i.t.Fatal(err)
	}
	if i.user, err = i.daemon.Open(context.Background(), alice); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) close() {
	if err := i.daemon.Close(); err != nil {
		i.t.Error(err)
	}
}

// restart is what a kill and a new start are, as far as memory goes.
func (i *installation) restart() {
	i.t.Helper()
	i.close()
	i.open()
}

// answer goes through a login and gives answers to its questions.
func (i *installation) answer(texts ...string) (*bridgev2.LoginStep, error) {
	ctx := context.Background()
	process, err := i.daemon.Network().CreateLogin(ctx, i.user, wa)
	if err != nil {
		return nil, err
	}
	step, err := process.Start(ctx)
	if err != nil {
		return nil, err
	}
	for _, word := range []string{string(alice), "Some Messenger", "example.org", "decrypts"} {
		if !strings.Contains(step.Instructions, word) {
			i.t.Errorf("the question does not say %q", word)
		}
	}
	for _, text := range texts {
		input := map[string]string{step.UserInputParams.Fields[0].ID: text}
		if step, err = process.(bridgev2.LoginProcessUserInput).SubmitUserInput(ctx, input); err != nil {
			return nil, err
		}
	}
	return step, nil
}

// state returns where alice stands.
func (i *installation) state() database.EnlistmentState {
	i.t.Helper()
	enlistment, err := i.daemon.Network().AllEnlistments().Find(context.Background(), wa, string(alice))
	if errors.Is(err, database.ErrNoEnlistment) {
		return ""
	} else if err != nil {
		i.t.Fatal(err)
	}
	return enlistment.State
}

// waitForLogin waits until the login is there, which the work of Resume makes.
func (i *installation) waitForLogin() {
	i.t.Helper()
	i.daemon.WaitForWork()
	if client := i.daemon.Client(login); client == nil || !client.IsLoggedIn() {
		i.t.Errorf("there is no login: %v", client)
	}
}

func parseJID(t *testing.T, text string) types.JID {
	t.Helper()
	jid, err := wire.ParseJID(text)
	if err != nil {
		t.Fatal(err)
	}
	return jid
}

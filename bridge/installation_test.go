package bridge_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge"
	"postern/bridge/config"
	"postern/bridge/enlisttest"
	"postern/database"
)

const (
	alice  = id.UserID("@alice:example.org")
	wa     = "wa"
	login  = networkid.UserLoginID("wa-77-1001")
	secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

// installation is a daemon that has never run, with its files.
type installation struct {
	t      *testing.T
	cfg    *config.Config
	server *enlisttest.Server
	daemon *bridge.Daemon
	user   *bridgev2.User
}

// install makes one with an SQLite database, unless change wants something else.
func install(t *testing.T, change ...func(*config.Config)) *installation {
	t.Helper()
	i := &installation{t: t, cfg: testConfig(), server: enlisttest.New(t)}
	i.cfg.Database = config.Database{Type: config.SQLite, URI: filepath.Join(t.TempDir(), "postern.db")}
	i.cfg.Homeserver.Address = i.server.URL // which refuses everything
	i.cfg.SecretKey = secret
	i.cfg.Public = config.Public{URL: "https://bridge.example.org", MediaDir: filepath.Join(t.TempDir(), "media"), MediaDays: 30}
	i.cfg.Limits.FileMiB = 1
	i.cfg.Limits.LoginsAtOnce = 4
	i.cfg.Gatekeepers = []config.Gatekeeper{i.server.Gatekeeper(wa)}
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
	enlistment, err := i.daemon.Network().Database.Enlistments().Find(context.Background(), wa, string(alice))
	if errors.Is(err, database.ErrNoEnlistment) {
		return ""
	} else if err != nil {
		i.t.Fatal(err)
	}
	return enlistment.State
}

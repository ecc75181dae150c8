package bridge_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog/hlog"
	"go.mau.fi/util/requestlog"
	"maunium.net/go/mautrix"

	"postern/bridge"
	"postern/bridge/config"
	"postern/bridge/troubles"
)

func TestLogHoldsNothingThatUsersWrote(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	log, closer, err := bridge.NewLogger(config.Logging{Level: "trace", Format: "json", File: file}, troubles.NewRecent(time.Now))
	if err != nil {
		t.Fatal(err)
	}
	// As bridgev2's command processor and its provisioning interface log.
	child := log.With().Str("action", "handle event").Logger()
	child.Debug().Str("mx_command", "secret-word").Msg("Received unknown command")
	access := requestlog.AccessLogger(requestlog.Options{})(http.NotFoundHandler())
	hlog.NewHandler(child)(access).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/resolve/+4915112345678", nil))
	child.Info().Msg("Something else")
	if err = closer.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"secret-word", "4915112345678"} {
		if strings.Contains(string(data), secret) {
			t.Errorf("the log holds %s: %s", secret, data)
		}
	}
	if !strings.Contains(string(data), "Something else") {
		t.Errorf("the log lacks other messages: %s", data)
	}
}

// TestLogHoldsNoRequestBodies: Matrix does not encrypt reactions, names and topics.
func TestLogHoldsNoRequestBodies(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer server.Close()
	for _, format := range []string{"json", "text"} {
		file := filepath.Join(t.TempDir(), "log")
		log, closer, err := bridge.NewLogger(config.Logging{Level: "trace", Format: format, File: file}, troubles.NewRecent(time.Now))
		if err != nil {
			t.Fatal(err)
		}
		client, err := mautrix.NewClient(server.URL, "@someone:example.org", "a token")
		if err != nil {
			t.Fatal(err)
		}
		client.Log = log
		if _, err = client.SendReaction(t.Context(), "!room", "$event", "secret-emoji"); err != nil {
			t.Fatal(err)
		}
		if err = closer.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "secret-emoji") {
			t.Errorf("%s: the log holds a reaction: %s", format, data)
		}
		if !strings.Contains(string(data), "Request completed") || !strings.Contains(string(data), "m.reaction") {
			t.Errorf("%s: the log lacks the request: %s", format, data)
		}
	}
}

func TestComponentsHaveLevelsOfTheirOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	cfg := config.Logging{Level: "info", Format: "json", File: file, Levels: map[string]string{"interop": "debug", "homeserver": "error"}}
	log, closer, err := bridge.NewLogger(cfg, troubles.NewRecent(time.Now))
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range config.Components {
		of := bridge.LogOf(log, cfg, component)
		of.Debug().Msg("debug of " + component)
		of.Warn().Msg("warning of " + component)
	}
	if err = closer.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"debug of interop": true, "warning of interop": true, "debug of bridge": false, "warning of bridge": true,
		"warning of homeserver": false, `"component":"interop"`: true, `"component":"bridge"`: true,
	} {
		if strings.Contains(string(data), text) != want {
			t.Errorf("%q is there: %t\n%s", text, !want, data)
		}
	}
}

func TestALogThatIsMovedAwayIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, err := bridge.OpenLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		log.LookAgain()
		if _, err := log.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	if err = os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("second\n")
	if err = os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	write("third\n") // nowhere to put it, and no reason to fail
	if err = os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write("fourth\n")
	if err = log.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "fourth\n" {
		t.Errorf("%q, %v", data, err)
	}
}

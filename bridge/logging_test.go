package bridge_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog/hlog"
	"go.mau.fi/util/requestlog"

	"postern/bridge"
	"postern/bridge/config"
)

func TestLogHoldsNothingThatUsersWrote(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	log, closer, err := bridge.NewLogger(config.Logging{Level: "trace", Format: "json", File: file})
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

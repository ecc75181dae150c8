package gatekeeper_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper"
	"postern/interop/wire"
)

const (
	integrator = 7
	audience   = "sandbox-test"
	pushIssuer = "WHATSAPP"
	patience   = 20 * time.Second // with which a test waits for something that is sure to come
)

// sandbox is a running gatekeeper with one partner.
type sandbox struct {
	*gatekeeper.Server
	tb      testing.TB
	config  *gatekeeper.Config
	partner *partner
}

// rootKeyFile is shared by all sandboxes of the process, because whatsmeow keeps the root key in a global variable.
var rootKeyFile = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatekeeper-test-*")
	return filepath.Join(dir, "root.key"), err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := rootKeyFile(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func start(tb testing.TB) *sandbox {
	tb.Helper()
	root, err := rootKeyFile()
	if err != nil {
		tb.Fatal(err)
	}
	p := newPartner(tb)
	s := &sandbox{tb: tb, partner: p, config: &gatekeeper.Config{
		Listen: "127.0.0.1:0", Control: "127.0.0.1:0", Database: filepath.Join(tb.TempDir(), "gatekeeper.db"), RootKeyFile: root,
		Product: "whatsapp", MinimumVersion: gatekeeper.Version{1, 0, 0}, PushIssuer: pushIssuer,
		Partners: []gatekeeper.Partner{{Integrator: integrator, Issuer: p.URL, Audience: audience}},
	}}
	s.launch()
	tb.Cleanup(func() { s.stop() })
	return s
}

// launch starts a server on the sandbox's files, at the address of the one before it, if there was one.
func (s *sandbox) launch() {
	s.tb.Helper()
	log := zerolog.Nop() // testing.F refuses to log while a target runs
	if _, fuzzing := s.tb.(*testing.F); !fuzzing {
		log = zerolog.New(zerolog.NewTestWriter(s.tb)).Level(zerolog.WarnLevel)
	}
	server, err := gatekeeper.New(s.config, log)
	if err == nil {
		err = server.Start(s.tb.Context())
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
		s.tb.Errorf("stop: %v", err)
	}
}

// control makes a request to the control API and decodes the answer into one, which may be nil. It returns the status.
func (s *sandbox) control(method, path string, body, answer any) int {
	s.tb.Helper()
	var content io.Reader
	switch body := body.(type) {
	case nil:
	case []byte:
		content = bytes.NewReader(body)
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			s.tb.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(s.tb.Context(), method, s.ControlURL()+path, content)
	if err != nil {
		s.tb.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	if answer != nil {
		if err = json.NewDecoder(response.Body).Decode(answer); err != nil {
			s.tb.Fatal(err)
		}
	}
	return response.StatusCode
}

// fault sets a fault, which must succeed.
func (s *sandbox) fault(name string, body map[string]any) {
	s.tb.Helper()
	if status := s.control("POST", "/faults/"+name, body, nil); status != http.StatusOK {
		s.tb.Fatalf("fault %s: status %d", name, status)
	}
}

// account makes a WhatsApp user.
func (s *sandbox) account(phone, name string) {
	s.tb.Helper()
	if status := s.control("POST", "/accounts", map[string]any{"phone": phone, "name": name}, nil); status != http.StatusOK {
		s.tb.Fatalf("account %s: status %d", phone, status)
	}
}

// addresses registers a device of a WhatsApp user.
func (s *sandbox) addresses(phone string, noise [32]byte) (number, lid types.JID) {
	s.tb.Helper()
	var answer struct{ JID, LID string }
	status := s.control("POST", "/accounts/"+url.PathEscape(phone)+"/devices", map[string]any{"noise_key": hex.EncodeToString(noise[:])}, &answer)
	if status != http.StatusOK {
		s.tb.Fatalf("device of %s: status %d", phone, status)
	}
	var err error
	if number, err = wire.ParseJID(answer.JID); err == nil {
		lid, err = wire.ParseJID(answer.LID)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	return number, lid
}

type saw struct {
	Seq      int64
	Kind, ID string
	From, To string
	Enc      []string
	Size     int
}

// waitSaw waits until the gatekeeper saw something of the kind.
func (s *sandbox) waitSaw(kind string) saw {
	s.tb.Helper()
	var after int64
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var answer struct{ Saw []saw }
		s.control("GET", fmt.Sprintf("/saw?wait=5&after=%d", after), nil, &answer)
		for _, record := range answer.Saw {
			after = record.Seq
			if record.Kind == kind {
				return record
			}
		}
	}
	s.tb.Fatalf("the gatekeeper saw no %q", kind)
	return saw{}
}

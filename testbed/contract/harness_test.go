package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/gatekeeper"
	"postern/interop"
	"postern/provider"
)

const (
	integrator = 7
	audience   = "sandbox-contract"
	pushIssuer = "WHATSAPP"
	domain     = "example.org"
	alice      = "@alice:" + domain
)

// partner is a partner server behind a witness.
type partner struct {
	*witness
	server *provider.Provider
	broken atomic.Bool
}

// openPartner serves a partner. The witness has the address that is published.
func openPartner(t *testing.T, w *witness, keysURL string, addressRate int) *partner {
	t.Helper()
	p := &partner{witness: w}
	files, err := provider.NewDirStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p.server, err = provider.New(context.Background(), provider.Options{
		Issuer: w.URL, Domain: domain, Audiences: []provider.Audience{{Name: audience, Integrator: integrator}},
		Keys: &keyStore{broken: &p.broken}, Media: &fileStore{files, &p.broken}, MaxMedia: 1 << 20, MediaKey: [provider.MediaKeySize]byte{1},
		Pushers: []provider.Pusher{{Gatekeeper: "whatsapp", Issuer: pushIssuer, KeysURL: keysURL}},
		Wake:    func(context.Context, string, string) {}, AddressRate: addressRate, TotalRate: 1000, Log: zerolog.Nop(),
		Now: func() time.Time {
			if p.broken.Load() {
				return time.Now().Add(time.Hour) // what was read before is too old by now
			}
			return time.Now()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	w.stand("http://" + listener.Addr().String())
	return p
}

var errBroken = errors.New("out of order")

// keyStore holds the first signing key.
type keyStore struct {
	provider.KeyStore // what is not used
	broken            *atomic.Bool
	keys              []provider.StoredKey
}

func (s *keyStore) SigningKeys(context.Context) ([]provider.StoredKey, error) {
	if s.broken.Load() {
		return nil, errBroken
	}
	return s.keys, nil
}

func (s *keyStore) AddFirstKey(_ context.Context, key provider.StoredKey) error {
	s.keys = []provider.StoredKey{key}
	return nil
}

type fileStore struct {
	provider.MediaStore
	broken *atomic.Bool
}

func (s *fileStore) Open(ctx context.Context, reference provider.MediaReference) (io.ReadSeekCloser, error) {
	if s.broken.Load() {
		return nil, errBroken
	}
	return s.MediaStore.Open(ctx, reference)
}

// sandbox is the gatekeeper behind a witness.
type sandbox struct {
	*witness
	server *gatekeeper.Server
}

func openSandbox(t *testing.T, w *witness, partners ...gatekeeper.Partner) *sandbox {
	t.Helper()
	dir := t.TempDir()
	server, err := gatekeeper.New(&gatekeeper.Config{
		Listen: "127.0.0.1:0", Control: "127.0.0.1:0", Database: filepath.Join(dir, "gatekeeper.db"),
		RootKeyFile: filepath.Join(dir, "root.key"), Product: "whatsapp", PushIssuer: pushIssuer, Partners: partners,
	}, zerolog.Nop())
	if err == nil {
		err = server.Start(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w.stand(server.URL())
	return &sandbox{w, server}
}

// control tells the gatekeeper what to do, beside the witness: its control API is not in the document.
func (s *sandbox) control(t *testing.T, method, path string, body []byte, answer any) {
	t.Helper()
	request, err := http.NewRequest(method, s.server.ControlURL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err = json.NewDecoder(response.Body).Decode(answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v", method, path, response.Status, err)
	}
}

func (s *sandbox) fault(t *testing.T, path, body string) {
	t.Helper()
	s.control(t, "POST", "/faults/"+path, []byte(body), &struct{}{})
}

// described is the gatekeeper as a bridge's config has it.
func (s *sandbox) described(t *testing.T) *interop.Gatekeeper {
	t.Helper()
	address, err := url.Parse(s.URL + "/3p/interop_reg")
	if err != nil {
		t.Fatal(err)
	}
	return &interop.Gatekeeper{
		ID: "whatsapp", Integrator: integrator, EnlistURL: address, RootKey: s.server.RootKey(), Audience: audience, ProtocolVersion: [3]uint32{1, 0, 3},
	}
}

// ask sends a request to a server behind its witness, which judges it, and checks the status. headers are names and values.
func (w *witness) ask(t *testing.T, want int, method, path string, body io.Reader, headers ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequest(method, w.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body = io.NopCloser(bytes.NewReader(content))
	}
	if response.StatusCode != want {
		t.Errorf("%s %s: status %d, not %d", method, path, response.StatusCode, want)
	}
	return response
}

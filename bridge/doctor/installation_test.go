package doctor_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/bridge/config"
	"postern/bridge/doctor"
	"postern/bridge/homeserver"
	"postern/database"
	"postern/provider"
)

const pushKeys = `{"keys": [{"kty": "RSA", "kid": "a", "alg": "RS256", "use": "sig", "e": "AQAB", "n": "ALwlbg"}]}`

// installation is a bridge with all that it needs around it. Everything is on real sockets; the homeserver, the bridge's listener and the
// gatekeeper are played, the partner server, the database and the files are real.
type installation struct {
	t          *testing.T
	dir        string
	cfg        *config.Config
	homeserver *fakeHomeserver
	// hsToken is what the running bridge takes, ready whether it has started.
	bridge  *httptest.Server
	hsToken string
	ready   bool
	queries *queries // nil for a bridge of an earlier version
	// public is the reverse proxy, partner the partner server behind it, in front what the proxy does itself.
	public            *httptest.Server
	partner           http.Handler
	inFront           http.HandlerFunc
	certify           *tls.Certificate
	gatekeeper        *httptest.Server
	gatekeeperAnswers map[string]http.HandlerFunc
	db                *database.Database
	raw               *dbutil.Database
	authority         *authority
	options           doctor.Options
	// program examines with the program instead; see asUser.
	program func(*installation) []doctor.Finding
	copies  map[string][]byte // of the files that others have, too
	owner   int               // of the files, if it is not who runs the tests
	machine doctor.Machine
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{
		t: t, dir: t.TempDir(), homeserver: newFakeHomeserver(t), ready: true, authority: newAuthority(t),
		gatekeeperAnswers: map[string]http.HandlerFunc{"/keys": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(pushKeys)) }},
		queries:           &queries{},
		machine:           doctor.Machine{Free: 100 << 30, Write: time.Millisecond, OpenFiles: 1024},
	}
	i.bridge = httptest.NewServer(http.HandlerFunc(i.serveBridge))
	t.Cleanup(i.bridge.Close)
	i.public = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.inFront != nil {
			i.inFront(w, r)
			return
		}
		i.partner.ServeHTTP(w, r)
	}))
	i.certify = i.authority.certify(t, time.Now().AddDate(0, 2, 0), "127.0.0.1")
	i.public.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*i.certify}}, nil
	}}
	i.public.Config.ErrorLog = quiet
	i.public.StartTLS()
	t.Cleanup(i.public.Close)
	i.gatekeeper = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := i.gatekeeperAnswers[r.URL.Path]; answer != nil {
			answer(w, r)
		}
	}))
	i.gatekeeper.Config.ErrorLog = quiet
	t.Cleanup(i.gatekeeper.Close)
	i.configure()
	i.openDatabase()
	i.copies = make(map[string][]byte)
	for _, name := range []string{"registration.yaml", "doublepuppet.yaml", "postern.key"} {
		content, err := os.ReadFile(filepath.Join(i.dir, name))
		i.must(err)
		i.copies[name] = content
	}
	i.options = doctor.Options{Config: i.cfg, ConfigFile: filepath.Join(i.dir, config.ConfigFile), Roots: i.authority.roots(i.gatekeeper.Certificate())}
	return i
}

func (i *installation) configure() {
	base := i.gatekeeper.URL
	paths, err := config.Setup{
		HomeserverAddress: i.homeserver.server.URL, HomeserverDomain: "example.org",
		Listen: strings.TrimPrefix(i.bridge.URL, "http://"), PublicURL: i.public.URL, PublicListen: closedPort(i.t), AdminListen: closedPort(i.t),
		Gatekeepers: []config.Gatekeeper{{
			ID: "wa", Name: "WhatsApp", Product: "whatsapp", Integrator: 1, EnlistURL: base + "/enlist", ChatURL: strings.Replace(base, "http", "ws", 1) + "/chat",
			MediaURL: base, RootKey: strings.Repeat("01", 32), Audience: base, ProtocolVersion: "1.0.3", PushIssuer: "WHATSAPP", PushKeysURL: base + "/keys",
		}},
	}.Write(i.dir, false)
	if err != nil {
		i.t.Fatal(err)
	}
	if i.cfg, err = config.Load(paths[0], noEnvironment); err != nil {
		i.t.Fatal(err)
	}
	i.cfg.FFmpeg = "" // asking it takes longer than all the rest
	i.hsToken = i.cfg.Appservice.HSToken
	h := i.homeserver
	h.url, h.asToken, h.hsToken, h.id = i.cfg.Appservice.Address, i.cfg.Appservice.ASToken, i.hsToken, i.cfg.Appservice.ID
	h.puppetToken = i.cfg.DoublePuppet.ASToken
}

// template is a folder with the database and the secret key of a bridge that has run. It is made once, as it takes a second.
var template = sync.OnceValues(func() (dir string, err error) {
	ctx := context.Background()
	if dir, err = os.MkdirTemp("", "doctor-template-*"); err != nil {
		return "", err
	}
	raw, err := database.Open(ctx, "sqlite", filepath.Join(dir, "postern.db"), zerolog.Nop())
	if err != nil {
		return "", err
	}
	key, err := database.LoadSecretKey(ctx, raw, database.SecretKeySource{File: filepath.Join(dir, "postern.key"), Create: true})
	if err != nil {
		return "", err
	}
	db := database.New(raw, key, zerolog.Nop())
	if err = db.Upgrade(ctx); err == nil {
		_, err = newPartner(db, "https://example.org", nil) // which makes the signing key
	}
	if err == nil {
		err = db.KV().Set(ctx, "matrix.to_device_probe", []byte("Synapse 1.150.0 DEVICE"))
	}
	return dir, errors.Join(err, raw.Close())
})

func newPartner(db *database.Database, issuer string, media provider.MediaStore) (*provider.Provider, error) {
	return provider.New(context.Background(), provider.Options{
		Issuer: issuer, Domain: "example.org", Audiences: []provider.Audience{{Name: "wa", Integrator: 1}}, Keys: db.ProviderKeys(),
		Pushers: []provider.Pusher{{Gatekeeper: "wa", Issuer: "WHATSAPP", KeysURL: "https://example.org/keys"}},
		Wake:    func(context.Context, string, string) {}, Media: media, MaxMedia: 1 << 20, MediaKey: [32]byte{1}, Log: zerolog.Nop(),
	})
}

// openDatabase puts the database and the key in place, and a file that a user sent.
func (i *installation) openDatabase() {
	ctx := context.Background()
	from, err := template()
	i.must(err)
	for _, name := range []string{"postern.db", "postern.key"} {
		content, err := os.ReadFile(filepath.Join(from, name))
		i.must(err)
		i.must(os.WriteFile(filepath.Join(i.dir, name), content, 0o600))
	}
	i.raw, err = database.Open(ctx, string(i.cfg.Database.Type), i.cfg.Database.URI, zerolog.Nop())
	i.must(err)
	i.t.Cleanup(func() { _ = i.raw.Close() })
	key, err := database.LoadSecretKey(ctx, i.raw, database.SecretKeySource{File: i.cfg.SecretKeyFile})
	i.must(err)
	i.db = database.New(i.raw, key, zerolog.Nop())
	store, err := provider.NewDirStore(i.cfg.Public.MediaDir)
	i.must(err)
	partner, err := newPartner(i.db, i.cfg.Public.URL, store)
	i.must(err)
	i.partner = partner.Handler()
	writer, err := store.Create(ctx, provider.MediaReference{1})
	i.must(err)
	_, err = writer.Write([]byte("encrypted"))
	i.must(err)
	i.must(writer.Commit())
}

// queries are how often a bridge was asked for a user.
type queries struct{ accepted, refused atomic.Uint64 }

// serveBridge answers as the bridge's listener for the homeserver.
func (i *installation) serveBridge(w http.ResponseWriter, r *http.Request) {
	isQuery, known := strings.HasPrefix(r.URL.Path, "/_matrix/app/v1/users/"), r.Header.Get("Authorization") == "Bearer "+i.hsToken
	if isQuery && i.queries != nil {
		if known {
			i.queries.accepted.Add(1)
		} else {
			i.queries.refused.Add(1)
		}
	}
	switch {
	case r.URL.Path == "/_matrix/mau/ready":
		if !i.ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	case !known:
		refuse(w, http.StatusForbidden, "M_UNKNOWN_TOKEN", "")
	case r.URL.Path == "/_matrix/app/v1/ping":
		_, _ = w.Write([]byte("{}"))
	case r.URL.Path == homeserver.QueriesPath && i.queries != nil:
		_ = json.NewEncoder(w).Encode(homeserver.Queries{Accepted: i.queries.accepted.Load(), Refused: i.queries.refused.Load()})
	default:
		refuse(w, http.StatusNotFound, "M_NOT_FOUND", "")
	}
}

func (i *installation) examine() []doctor.Finding {
	i.t.Helper()
	if i.program != nil {
		return remember(i.program(i))
	}
	return remember(doctor.Examine(context.Background(), i.machine.On(i.options)))
}

// must is for what tests prepare.
func (i *installation) must(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) exec(query string, args ...any) {
	i.t.Helper()
	_, err := i.raw.Exec(context.Background(), query, args...)
	i.must(err)
}

// edit changes a file of the installation.
func (i *installation) edit(name string, replacements ...string) {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	text, err := os.ReadFile(path)
	i.must(err)
	i.must(os.WriteFile(path, []byte(strings.NewReplacer(replacements...).Replace(string(text))), 0o600))
}

// closedPort is where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

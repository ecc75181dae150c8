package gatekeeper

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/phone"
	"postern/gatekeeper/state"
	"postern/gatekeeper/token"
)

const (
	enlistPath = "/3p/interop_reg"
	chatPath   = "/ws/chat"

	// requestTimeout bounds reading one plain HTTP request's headers, and how long a connection may be idle between two.
	requestTimeout = 15 * time.Second
	// fetchTimeout bounds a request of ours to a partner server.
	fetchTimeout = 10 * time.Second
	// maxHeader bounds a request's headers, in bytes.
	maxHeader = 16 << 10
)

// Server is the sandbox gatekeeper. Make it with [New]; all methods are safe for concurrent use.
type Server struct {
	config   Config
	log      zerolog.Logger
	identity *identity
	clock    clock
	faults   faults
	hub      *hub
	// mediaClient fetches files from partners.
	mediaClient *http.Client
	mediaLimits mediaLimits
	pushes      *pusher
	// devices is held while a device number is chosen.
	devices sync.Mutex
	started sync.Once
	ended   sync.Once

	// What Start makes.
	state           *state.State
	media           *mediaStore
	directory       *directory
	verifier        *token.Verifier
	public, control net.Listener
	servers         []*http.Server
	// phones and phonePage are nil without a page. Sessions may look for phones while they are being opened.
	phones    atomic.Pointer[phone.Phones]
	phonePage net.Listener

	// background ends with the server; everything that outlives one request uses it. quit is closed when the server
	// begins to stop.
	background context.Context
	cancel     context.CancelFunc
	quit       chan struct{}

	// work counts the goroutines that Stop waits for; mu guards stopping, after which none may begin.
	work     sync.WaitGroup
	mu       sync.Mutex
	stopping bool
}

// New loads the root key, which it makes if there is none, and opens nothing else.
func New(config *Config, log zerolog.Logger) (*Server, error) {
	root, err := LoadRootKey(config.RootKeyFile)
	if err != nil {
		return nil, err
	}
	s := &Server{config: *config, log: log, identity: newIdentity(root), hub: newHub(), quit: make(chan struct{})}
	s.mediaClient, s.mediaLimits = newMediaClient(), defaultMediaLimits
	s.background, s.cancel = context.WithCancel(log.WithContext(context.Background()))
	s.pushes = newPusher(s)
	return s, nil
}

// RootKey returns the public key that clients have to trust.
func (s *Server) RootKey() [32]byte { return s.identity.root.Pub }

// URL returns the public base URL, such as http://127.0.0.1:29410, after Start.
func (s *Server) URL() string { return "http://" + s.publicAddress() }

// EnlistURL returns where partner clients enlist, after Start.
func (s *Server) EnlistURL() string { return s.URL() + enlistPath }

// ChatURL returns the chat channel's websocket, after Start.
func (s *Server) ChatURL() string { return "ws://" + s.publicAddress() + chatPath }

// ControlURL returns the control API's base URL, after Start.
func (s *Server) ControlURL() string { return "http://" + s.control.Addr().String() }

// publicAddress is where clients reach the server: the config's address, or that of the listener.
func (s *Server) publicAddress() string {
	if s.config.Address != "" {
		return s.config.Address
	}
	return s.localAddress()
}

// localAddress is where clients on this machine reach the server. A listener for all addresses has none of its own.
func (s *Server) localAddress() string {
	address := s.public.Addr().(*net.TCPAddr)
	if address.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(address.Port))
	}
	return address.String()
}

// Start opens the databases and all listeners, and returns when connections are accepted. A server starts once.
func (s *Server) Start(ctx context.Context) error {
	err := errors.New("the gatekeeper was started before")
	s.started.Do(func() { err = s.start(ctx) })
	return err
}

func (s *Server) start(ctx context.Context) (err error) {
	s.state, err = state.Open(ctx, s.config.Database, dbutil.ZeroLogger(s.log))
	if err != nil {
		return err
	}
	if s.media, err = openMediaStore(s.config.mediaDir(), s.clock.now); err != nil {
		return errors.Join(err, s.state.Close())
	}
	partners := make([]token.Partner, len(s.config.Partners))
	for i, partner := range s.config.Partners {
		partners[i] = token.Partner{Integrator: partner.Integrator, Issuer: partner.Issuer, Audience: partner.Audience}
	}
	s.verifier = token.NewVerifier(partners, &http.Client{Timeout: fetchTimeout}, s.clock.now)
	s.directory = newDirectory(s.state)
	s.state.OnMail(s.pushes.mailStored)
	if s.public, err = net.Listen("tcp", s.config.Listen); err != nil {
		return errors.Join(fmt.Errorf("failed to listen for clients: %w", err), s.closeStores())
	}
	if s.control, err = net.Listen("tcp", s.config.Control); err != nil {
		return errors.Join(fmt.Errorf("failed to listen for control: %w", err), s.public.Close(), s.closeStores())
	}
	s.serve(faultyListener{s.public, &s.faults}, s.publicHandler())
	s.serve(s.control, s.controlHandler())
	s.work.Go(s.keepHouse)
	s.work.Go(s.pushes.started)
	if err = s.startPhones(ctx); err != nil {
		return errors.Join(err, s.Stop(ctx))
	}
	root := s.RootKey()
	s.log.Info().Str("listen", s.URL()).Str("control", s.ControlURL()).Str("phone", s.PhoneURL()).Str("root_key", hex.EncodeToString(root[:])).Msg("Gatekeeper started")
	return nil
}

func (s *Server) publicHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+enlistPath, s.spoilable(routeEnlist, &enlister{
		state: s.state, verifier: s.verifier, minimum: s.config.MinimumVersion, now: s.clock.unix, changed: s.enlistedAgain, note: s.note,
		refusal: s.faults.enlistRefusal,
	}))
	mux.Handle("GET "+keysPath, s.spoilable(routeKeys, http.HandlerFunc(s.serveKeys)))
	mux.HandleFunc("GET "+chatPath, s.serveChat)
	mux.HandleFunc("GET "+picturePath+"{id}", s.servePicture)
	mux.HandleFunc("POST /mms/{kind}/{token}", s.serveUpload)
	mux.HandleFunc("GET /v/", s.serveMedia)
	mux.HandleFunc("GET /interop/", s.servePartnerMedia)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.faults.isOut() {
			panic(http.ErrAbortHandler) // cuts a connection that was open before the outage
		}
		mux.ServeHTTP(w, r)
	})
}

// serve handles a listener's connections in a goroutine of its own, which Stop ends.
func (s *Server) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: requestTimeout,
		IdleTimeout:       requestTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return s.background },
	}
	s.servers = append(s.servers, server)
	s.work.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Err(err).Msg("Listener failed")
		}
	})
}

// begin counts a connection in, unless the server is stopping. Its end is s.work.Done.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.work.Add(1)
	}
	return !s.stopping
}

// Stop tells clients to come back later, ends all connections and closes the database. It returns when nothing of the
// server is running any more, even if ctx ends before: then connections are cut rather than told. Only the first call
// does anything.
func (s *Server) Stop(ctx context.Context) error {
	var err error
	s.ended.Do(func() { err = s.stop(ctx) })
	return err
}

func (s *Server) stop(ctx context.Context) error {
	defer s.cancel()
	if s.control == nil {
		return nil // was never started
	}
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	close(s.quit)
	var problems []error
	if phones := s.phones.Load(); phones != nil {
		problems = append(problems, phones.Close())
	}
	s.pushes.stop()
	// What does not end by itself in time is cut.
	defer context.AfterFunc(ctx, s.cancel)()
	defer time.AfterFunc(farewellTimeout, s.cancel).Stop()
	for _, c := range s.hub.close() {
		c.end(streamError("503"))
	}
	for _, server := range s.servers {
		if err := server.Shutdown(ctx); err != nil {
			problems = append(problems, server.Close())
		}
	}
	s.work.Wait()
	s.mediaClient.CloseIdleConnections()
	s.pushes.client.CloseIdleConnections()
	return errors.Join(append(problems, s.closeStores())...)
}

func (s *Server) closeStores() error { return errors.Join(s.state.Close(), s.media.close()) }

// note keeps a record of what the gatekeeper saw.
func (s *Server) note(record state.Saw) {
	record.Time = s.clock.now().UnixMilli()
	s.state.Note(record)
}

// enlistedAgain is called after an account got new keys: sessions of the old ones end, and contacts hear of it.
func (s *Server) enlistedAgain(ctx context.Context, account types.JID) error {
	s.directory.forget(account)
	if c := s.hub.get(account); c != nil {
		c.end(removedError())
	}
	return s.announceIdentity(ctx, account)
}

package homeserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"postern/testbed/process"
)

// Kind is a homeserver implementation.
type Kind string

const (
	Dendrite Kind = "dendrite"
	Synapse  Kind = "synapse"
)

// KindVariable names the environment variable that chooses the homeserver for tests.
const KindVariable = "POSTERN_HOMESERVER"

const (
	// startTimeout bounds Start. Synapse on a busy machine with two cores takes about 10 seconds.
	startTimeout = 90 * time.Second
	// defaultDomain cannot exist on the internet (RFC 6761).
	defaultDomain = "postern.test"
	logName       = "log"
)

// ErrUnknownKind is returned for a kind that this package cannot run.
var ErrUnknownKind = errors.New("unknown kind of homeserver")

// KindFromEnvironment returns what tests are to run on: Dendrite, unless the environment says otherwise.
func KindFromEnvironment() Kind {
	if kind := os.Getenv(KindVariable); kind != "" {
		return Kind(kind)
	}
	return Dendrite
}

// Options say what to run. Kind, Binary and Dir must be set.
type Options struct {
	Kind Kind
	// Binary is the Dendrite program, or the Python interpreter of an environment that holds Synapse.
	Binary string
	// Dir takes configuration, databases and log. It must exist and be empty.
	Dir string
	// Domain is the server's name; "" is postern.test.
	Domain string
	// Federation lets the server talk to others on this machine. Its name is then its address, and Domain is ignored.
	Federation bool
}

// Server is one homeserver. Stopped and started again, it keeps its data and its address. Its methods are safe for
// concurrent use.
type Server struct {
	// Service is the process. Its Kill is the server's.
	process.Service

	options Options
	flavour flavour
	port    int
	// federationPort is 0 without federation.
	federationPort int
	sharedSecret   string
}

// Stop asks the server to end and waits, by force when ctx ends. How it ended does not count: Dendrite, asked while events are under way,
// closes its databases first and panics over that.
func (s *Server) Stop(ctx context.Context) error {
	err := s.Service.Stop(ctx)
	if ended := new(exec.ExitError); errors.As(err, &ended) {
		return nil
	}
	return err
}

// flavour is what differs between implementations.
type flavour interface {
	// prepare writes what is made once, such as keys.
	prepare(dir string) error
	// configure writes the configuration files.
	configure(settings settings) error
	// command returns how to start; name, directory and log are filled in by the caller.
	command(binary string, settings settings) process.Options
	// healthPath answers 200 as soon as the server works.
	healthPath() string
}

// settings fill the configuration templates.
type settings struct {
	Domain        string
	Dir           string
	Port          int
	SharedSecret  string
	Registrations []string
	// FederationPort is where other servers are listened to with TLS; 0 is nowhere.
	FederationPort int
}

// New prepares a homeserver without starting it: its address is known then, as a registration needs it.
func New(options Options) (*Server, error) {
	var kind flavour
	switch options.Kind {
	case Dendrite:
		kind = dendrite{}
	case Synapse:
		kind = synapse{}
	default:
		return nil, fmt.Errorf("%w: %q", ErrUnknownKind, options.Kind)
	}
	if options.Domain == "" {
		options.Domain = defaultDomain
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	server := &Server{options: options, flavour: kind, port: port, sharedSecret: rand.Text()}
	if options.Federation {
		if server.federationPort, err = process.FreePort(); err != nil {
			return nil, err
		}
		server.options.Domain = fmt.Sprintf("localhost:%d", server.federationPort)
		if err = makeCertificate(options.Dir); err != nil {
			return nil, err
		}
	}
	if err = kind.prepare(options.Dir); err != nil {
		return nil, fmt.Errorf("failed to prepare %s: %w", options.Kind, err)
	}
	return server, nil
}

// Kind tells which implementation it is.
func (s *Server) Kind() Kind { return s.options.Kind }

// Domain is the server name, the part of user IDs after the colon.
func (s *Server) Domain() string { return s.options.Domain }

// URL is the address of the client-server API.
func (s *Server) URL() string { return "http://" + process.Loopback(s.port) }

// LogFile is where the server's output goes.
func (s *Server) LogFile() string { return filepath.Join(s.options.Dir, logName) }

// Start runs the server with these appservice registrations and returns when it answers.
func (s *Server) Start(ctx context.Context, registrations ...string) error {
	if err := s.flavour.configure(s.settings(registrations)); err != nil {
		return fmt.Errorf("failed to configure %s: %w", s.options.Kind, err)
	}
	return s.run(ctx)
}

func (s *Server) settings(registrations []string) settings {
	return settings{
		Domain: s.options.Domain, Dir: s.options.Dir, Port: s.port, SharedSecret: s.sharedSecret,
		Registrations: registrations, FederationPort: s.federationPort,
	}
}

// Restart starts a server that was stopped or killed, with the configuration it had.
func (s *Server) Restart(ctx context.Context) error { return s.run(ctx) }

func (s *Server) run(ctx context.Context) error {
	command := s.flavour.command(s.options.Binary, s.settings(nil))
	command.Name = string(s.options.Kind)
	command.Dir = s.options.Dir
	command.LogFile = s.LogFile()
	return s.Service.Start(ctx, command, process.HTTPCheck(s.URL()+s.flavour.healthPath()), startTimeout)
}

// writeFile writes a file that only its owner can read, as it may hold secrets.
func writeFile(dir, name string, content []byte) error {
	return os.WriteFile(filepath.Join(dir, name), content, 0o600)
}

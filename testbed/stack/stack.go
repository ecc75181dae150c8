package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/gatekeeper/waclient"
	"postern/testbed/daemon"
	"postern/testbed/homeserver"
	"postern/testbed/postgres"
	"postern/testbed/process"
	"postern/testbed/programs"
	"postern/testbed/sandbox"
	"postern/testbed/scratch"
)

// KeepVariable names the environment variable that makes Close keep all files, to look for what went wrong.
const KeepVariable = "POSTERN_KEEP"

const (
	// GatekeeperID is the short name of the gatekeeper in the bridge's configuration, as used in bot commands.
	GatekeeperID = "whatsapp"

	integrator = 1
	audience   = "sandbox-whatsapp"
	// partnerName is what contacts read about the bridge.
	partnerName = "Matrix"

	// stopTimeout is how long each part may take to end by itself.
	stopTimeout = 15 * time.Second
)

// Options say what the stack is made of. Homeserver and Builder must be set.
type Options struct {
	Homeserver homeserver.Kind
	Builder    *programs.Builder
	// Federation lets the homeserver talk to others on this machine.
	Federation bool
	// LogLevel is the bridge's; info if it is empty.
	LogLevel string
	// Postgres gives the bridge a PostgreSQL database instead of an SQLite file.
	Postgres bool
	// Front makes something that stands between the bridge and the homeserver, if set. It gets the homeserver's address and returns
	// the one that the bridge is told.
	Front func(homeserver string) (string, error)
	// Progress is called before every step, if set.
	Progress func(step string)
}

// Stack is a running installation. Its methods are safe for concurrent use.
type Stack struct {
	Homeserver *homeserver.Server
	Gatekeeper *sandbox.Server
	Bridge     *daemon.Daemon
	// Postgres is nil unless the options ask for it. PostgresURI is the bridge's database there.
	Postgres    *postgres.Server
	PostgresURI string
	// SetupOutput is what `postern init` printed.
	SetupOutput string

	builder  *programs.Builder
	dir      string
	progress func(string)

	lock    sync.Mutex
	closers []func() error // users and contacts, closed before the servers
	phones  int            // contacts so far
}

// Start builds what is missing and starts all servers. The caller must Close the stack.
func Start(ctx context.Context, options Options) (*Stack, error) {
	dir, err := scratch.New("stack")
	if err != nil {
		return nil, err
	}
	s := &Stack{builder: options.Builder, dir: dir, progress: options.Progress}
	if s.progress == nil {
		s.progress = func(string) {}
	}
	if err = s.prepare(ctx, options); err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare makes folders and configurations, in the order in which an admin gets to know the addresses.
func (s *Stack) prepare(ctx context.Context, options Options) error {
	postern, err := options.Builder.Postern(ctx)
	if err != nil {
		return err
	}
	homeserverBinary, err := options.Builder.Homeserver(ctx, options.Homeserver)
	if err != nil {
		return err
	}
	for _, part := range []string{"homeserver", "gatekeeper", "bridge", "users", "contacts"} {
		if err = os.Mkdir(s.Dir(part), 0o700); err != nil {
			return err
		}
	}
	s.Homeserver, err = homeserver.New(homeserver.Options{
		Kind: options.Homeserver, Binary: homeserverBinary, Dir: s.Dir("homeserver"), Federation: options.Federation,
	})
	if err != nil {
		return err
	}
	if options.Postgres {
		if err = s.startPostgres(ctx); err != nil {
			return err
		}
	}
	address := s.Homeserver.URL()
	if options.Front != nil {
		if address, err = options.Front(address); err != nil {
			return err
		}
	}
	s.Bridge, err = daemon.New(daemon.Options{
		Binary: postern, Dir: s.Dir("bridge"), LogLevel: options.LogLevel, PostgresURI: s.PostgresURI,
		HomeserverURL: address, Domain: s.Homeserver.Domain(),
	})
	if err != nil {
		return err
	}
	s.Gatekeeper, err = sandbox.New(sandbox.Options{
		Binary: postern, Dir: s.Dir("gatekeeper"),
		Partner: sandbox.Partner{Integrator: integrator, Issuer: s.Bridge.PublicURL(), Audience: audience, Name: partnerName},
	})
	if err != nil {
		return err
	}
	if err = waclient.Trust(s.Gatekeeper.RootKey()); err != nil {
		return err
	}
	return s.setUpBridge(ctx)
}

func (s *Stack) startPostgres(ctx context.Context) (err error) {
	s.progress("starting PostgreSQL")
	if s.Postgres, err = postgres.New(ctx); err != nil {
		return err
	}
	if err = s.Postgres.Start(ctx); err != nil {
		return err
	}
	s.PostgresURI, err = s.Postgres.NewDatabase(ctx, "postern")
	return err
}

// setUpBridge does what an admin does: describe the gatekeeper, and let postern init write the files.
func (s *Stack) setUpBridge(ctx context.Context) error {
	description, err := s.Gatekeeper.Describe(ctx)
	if err != nil {
		return err
	}
	s.progress("setting the bridge up with postern init")
	s.SetupOutput, err = s.Bridge.Setup(ctx, description)
	return err
}

func (s *Stack) start(ctx context.Context) error {
	s.progress("starting the sandbox gatekeeper")
	if err := s.Gatekeeper.Start(ctx); err != nil {
		return err
	}
	s.progress("starting the homeserver")
	if err := s.Homeserver.Start(ctx, s.Bridge.Registrations()...); err != nil {
		return err
	}
	s.progress("starting the bridge")
	return s.Bridge.Start(ctx)
}

// Dir is the folder of a part: homeserver, gatekeeper, bridge, users or contacts.
func (s *Stack) Dir(part string) string { return filepath.Join(s.dir, part) }

// Bot is the bridge's bot.
func (s *Stack) Bot() id.UserID { return id.UserID(s.Bridge.BotID()) }

// Logs returns the ends of all servers' logs, for a failed test.
func (s *Stack) Logs() string {
	var text strings.Builder
	for _, part := range []string{"homeserver", "gatekeeper", "bridge"} {
		fmt.Fprintf(&text, "--- end of the %s's log ---\n%s\n", part, process.LogTail(filepath.Join(s.Dir(part), "log")))
	}
	return text.String()
}

// onClose registers what has to be closed before the servers stop.
func (s *Stack) onClose(closer func() error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.closers = append(s.closers, closer)
}

// Close ends everything and removes all files. It returns what went wrong, such as a server that did not end by itself.
func (s *Stack) Close() error {
	s.lock.Lock()
	closers := s.closers
	s.closers = nil
	s.lock.Unlock()
	var problems []error
	for _, closer := range closers {
		problems = append(problems, closer())
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if s.Bridge != nil {
		problems = append(problems, s.Bridge.Stop(ctx))
	}
	if s.Gatekeeper != nil {
		problems = append(problems, s.Gatekeeper.Stop(ctx))
	}
	if s.Homeserver != nil {
		// Nobody needs its files any more, and Dendrite takes seconds to end by itself.
		s.Homeserver.Kill()
	}
	if s.Postgres != nil {
		problems = append(problems, s.Postgres.Close())
	}
	if os.Getenv(KeepVariable) != "" {
		return errors.Join(append(problems, fmt.Errorf("files are kept, as %s asks: %s", KeepVariable, s.dir))...)
	}
	return errors.Join(append(problems, os.RemoveAll(s.dir))...)
}

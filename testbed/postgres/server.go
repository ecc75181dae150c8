// Package postgres runs a throw-away PostgreSQL server with the programs of the machine, without a network port:
//
//	server, err := postgres.New()
//	err = server.Start(ctx)
//	uri, err := server.NewDatabase(ctx, "postern")
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"postern/database"
	"postern/testbed/process"
	"postern/testbed/scratch"
)

const (
	// Variable names the environment variable that chooses the bridge's database for tests: sqlite, which it is without, or
	// postgres.
	Variable = "POSTERN_DATABASE"

	debianBin    = "/usr/lib/postgresql/*/bin" // where Debian keeps initdb and postgres, out of PATH
	owner        = "postern"
	startTimeout = 30 * time.Second
	setupTimeout = time.Minute
)

// ErrMissing: PostgreSQL is not there.
var ErrMissing = errors.New("PostgreSQL (initdb, postgres) is not installed: apt-get install postgresql")

// Chosen tells whether tests are to run with PostgreSQL.
func Chosen() bool { return os.Getenv(Variable) == "postgres" }

// Server is one server with its data. Its methods are safe for concurrent use.
type Server struct {
	// Service is the process. Its Stop and Kill are the server's.
	process.Service

	program string
	dir     string
	// account is whom the server has to run as, nil for the caller.
	account *syscall.Credential
}

// New makes the data of a server. The caller must Close it. Errors: [ErrMissing].
func New(ctx context.Context) (*Server, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	program, err := find("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := scratch.New("pg") // short, as a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	s := &Server{program: program, dir: dir}
	if s.account, err = unprivileged(dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	create := exec.CommandContext(ctx, initdb, "-D", s.data(), "-U", owner, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	create.Dir, create.SysProcAttr = dir, &syscall.SysProcAttr{Credential: s.account}
	if output, err := create.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, output), s.Close())
	}
	return s, nil
}

// Start runs the server and returns when it answers.
func (s *Server) Start(ctx context.Context) error {
	return s.Service.Start(ctx, process.Options{
		Name: "PostgreSQL", Path: s.program, Dir: s.dir, LogFile: s.LogFile(), Credential: s.account,
		Args: []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off"},
	}, func(ctx context.Context) error { return s.run(ctx, "SELECT 1") }, startTimeout)
}

// NewDatabase makes an empty database and returns its address.
func (s *Server) NewDatabase(ctx context.Context, name string) (uri string, err error) {
	return s.uri(name), s.run(ctx, "CREATE DATABASE "+name)
}

// LogFile is where the server's output goes.
func (s *Server) LogFile() string { return filepath.Join(s.dir, "log") }

// Dir holds everything that the server writes.
func (s *Server) Dir() string { return s.dir }

// Close ends the server and removes its data.
func (s *Server) Close() error {
	s.Kill() // nothing of it is needed any more
	return os.RemoveAll(s.dir)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) uri(name string) string {
	query := url.Values{"host": {s.dir}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User(owner), Path: "/" + name, RawQuery: query.Encode()}).String()
}

func (s *Server) run(ctx context.Context, statement string) error {
	raw, err := database.Open(ctx, "postgres", s.uri("postgres"), zerolog.Nop())
	if err != nil {
		return err
	}
	_, err = raw.Exec(ctx, statement)
	return errors.Join(err, raw.Close())
}

func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	if found, _ := filepath.Glob(filepath.Join(debianBin, program)); len(found) > 0 {
		return found[len(found)-1], nil
	}
	return "", ErrMissing
}

// unprivileged hands dir to the user that the server has to run as if we are root, which PostgreSQL refuses.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
	if err = errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

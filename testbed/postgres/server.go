// Package postgres runs a throw-away PostgreSQL server with the programs of the machine, without a network port:
//
//	server, err := postgres.New(ctx)
//	err = server.Start(ctx)
//	uri, err := server.NewDatabase(ctx, "postern")
package postgres

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"postern/database/pgtest"
	"postern/testbed/process"
	"postern/testbed/scratch"
)

const (
	// Variable names the environment variable that chooses the bridge's database for tests: sqlite, which it is without, or
	// postgres.
	Variable = "POSTERN_DATABASE"

	startTimeout = 30 * time.Second
	setupTimeout = time.Minute
)

// ErrMissing: PostgreSQL is not there.
var ErrMissing = pgtest.ErrMissing

// Chosen tells whether tests are to run with PostgreSQL.
func Chosen() bool { return os.Getenv(Variable) == "postgres" }

// Server is one server with its data. Its methods are safe for concurrent use.
type Server struct {
	// Service is the process. Its Stop and Kill are the server's.
	process.Service

	cluster *pgtest.Cluster
}

// New makes the data of a server. The caller must Close it. Errors: [ErrMissing].
func New(ctx context.Context) (*Server, error) {
	dir, err := scratch.New("pg")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	cluster, err := pgtest.Create(ctx, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Server{cluster: cluster}, nil
}

// Start runs the server and returns when it answers.
func (s *Server) Start(ctx context.Context) error {
	return s.Service.Start(ctx, process.Options{
		Name: "PostgreSQL", Path: s.cluster.Program, Args: s.cluster.Args, Dir: s.Dir(), LogFile: s.LogFile(), Credential: s.cluster.Account,
	}, s.cluster.Ping, startTimeout)
}

// NewDatabase makes an empty database and returns its address.
func (s *Server) NewDatabase(ctx context.Context, name string) (uri string, err error) {
	return s.cluster.NewDatabase(ctx, name)
}

// LogFile is where the server's output goes.
func (s *Server) LogFile() string { return filepath.Join(s.Dir(), "log") }

// Dir holds everything that the server writes.
func (s *Server) Dir() string { return s.cluster.Dir }

// Close ends the server and removes its data.
func (s *Server) Close() error {
	s.Kill() // nothing of it is needed any more
	return os.RemoveAll(s.Dir())
}

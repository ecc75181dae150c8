// Package pgtest runs a throw-away PostgreSQL server for tests, without a network port. The first test that asks for a database starts
// it, and TestMain stops it:
//
//	code := m.Run()
//	pgtest.Stop()
//	os.Exit(code)
//
// Where the programs are missing the tests fail in CI (CI=true), and say loudly elsewhere that they did not run. Who starts and stops a
// server by hand takes a [Cluster].
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
)

const readyTimeout = 30 * time.Second

// server is the one of this test process.
type server struct {
	*Cluster
	process *exec.Cmd
	count   atomic.Int64
}

var (
	startOnce sync.Once
	started   *server
	startErr  error
)

// URI returns the address of an empty database of the test's own, or "" if there is no PostgreSQL and this is not CI.
func URI(t testing.TB) string {
	t.Helper()
	startOnce.Do(func() { started, startErr = start() })
	if errors.Is(startErr, ErrMissing) && os.Getenv("CI") != "true" {
		t.Log("!!! NOT RUN ON POSTGRESQL: " + ErrMissing.Error())
		return ""
	}
	if startErr != nil {
		t.Fatal(startErr)
	}
	uri, err := started.NewDatabase(context.Background(), fmt.Sprintf("test%d", started.count.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// Open opens the way the daemon does what URI names, and closes it at the end of the test; nil where URI is "".
func Open(t testing.TB) *dbutil.Database {
	t.Helper()
	uri := URI(t)
	if uri == "" {
		return nil
	}
	raw, err := database.Open(context.Background(), "postgres", uri, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// Stop ends the server, if one was started.
func Stop() {
	if started != nil {
		started.stop()
	}
}

func start() (_ *server, err error) {
	dir, err := os.MkdirTemp("", "postern-pg-")
	if err != nil {
		return nil, err
	}
	cluster, err := Create(context.Background(), dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &server{Cluster: cluster, process: exec.Command(cluster.Program, cluster.Args...)}
	var output bytes.Buffer
	s.process.Dir, s.process.SysProcAttr = dir, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: cluster.Account}
	s.process.Stdout, s.process.Stderr = &output, &output
	if err = s.process.Start(); err == nil {
		err = s.waitUntilReady()
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// waitUntilReady asks again and again, which is what PostgreSQL's own tools do: the server gives no other sign.
func (s *server) waitUntilReady() error {
	deadline := time.After(readyTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.Ping(context.Background())
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("PostgreSQL did not get ready: %w", err)
		}
	}
}

func (s *server) stop() {
	if s.process.Process != nil {
		_ = s.process.Process.Signal(syscall.SIGQUIT) // immediate shutdown: nothing here is worth a checkpoint
		_ = s.process.Wait()
	}
	_ = os.RemoveAll(s.Dir)
}

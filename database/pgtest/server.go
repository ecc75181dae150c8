// Package pgtest runs a throw-away PostgreSQL server for tests, without a network port. The first test that asks for a database starts
// it, and TestMain stops it:
//
//	code := m.Run()
//	pgtest.Stop()
//	os.Exit(code)
//
// Where the programs are missing the tests fail in CI (CI=true), and say loudly elsewhere that they did not run.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
)

const (
	debianBin    = "/usr/lib/postgresql/*/bin" // where Debian keeps initdb and postgres, out of PATH
	readyTimeout = 30 * time.Second
	remedy       = "PostgreSQL (initdb, postgres) is not installed: apt-get install postgresql"
)

var errNoPostgres = errors.New(remedy)

// server is the one of this test process.
type server struct {
	dir     string
	process *exec.Cmd
	count   atomic.Int64
}

var (
	startOnce sync.Once
	started   *server
	startErr  error
)

// URI returns the connection string of an empty database of the test's own, or "" if there is no PostgreSQL and this is not CI.
func URI(t testing.TB) string {
	t.Helper()
	startOnce.Do(func() { started, startErr = start() })
	if errors.Is(startErr, errNoPostgres) && os.Getenv("CI") != "true" {
		t.Log("!!! NOT RUN ON POSTGRESQL: " + remedy)
		return ""
	}
	if startErr != nil {
		t.Fatal(startErr)
	}
	name := fmt.Sprintf("test%d", started.count.Add(1))
	if err := started.run("postgres", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return started.uri(name)
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

func (s *server) uri(name string) string {
	return fmt.Sprintf("host=%s user=postern dbname=%s sslmode=disable", s.dir, name)
}

func (s *server) run(name, query string) error {
	raw, err := database.Open(context.Background(), "postgres", s.uri(name), zerolog.Nop())
	if err != nil {
		return err
	}
	defer raw.Close()
	_, err = raw.Exec(context.Background(), query)
	return err
}

func start() (_ *server, err error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := find("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postern-pg-") // short: a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if attributes.Credential, err = unprivileged(dir); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	create := exec.Command(initdb, "-D", data, "-U", "postern", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	create.SysProcAttr, create.Dir = attributes, dir
	if output, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, output)
	}
	var output bytes.Buffer
	s.process = exec.Command(postgres, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	s.process.SysProcAttr, s.process.Dir = attributes, dir
	s.process.Stdout, s.process.Stderr = &output, &output
	if err = s.process.Start(); err != nil {
		return nil, err
	}
	return s, s.waitUntilReady()
}

// waitUntilReady asks again and again, which is what PostgreSQL's own tools do: the server gives no other sign.
func (s *server) waitUntilReady() error {
	deadline := time.After(readyTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.run("postgres", "SELECT 1")
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
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Signal(syscall.SIGQUIT) // immediate shutdown: nothing here is worth a checkpoint
		_ = s.process.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	if found, _ := filepath.Glob(filepath.Join(debianBin, program)); len(found) > 0 {
		return found[len(found)-1], nil
	}
	return "", errNoPostgres
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

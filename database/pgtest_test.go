package database_test

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

// PostgreSQL tests run on a throw-away server that the first of them starts, without a network port, and TestMain stops.
// Where the programs are missing the tests fail in CI (CI=true), and say loudly elsewhere that they did not run.

const (
	postgresDebianBin    = "/usr/lib/postgresql/*/bin" // where Debian keeps initdb and postgres, out of PATH
	postgresReadyTimeout = 30 * time.Second
	postgresRemedy       = "PostgreSQL (initdb, postgres) is not installed: apt-get install postgresql"
)

var errNoPostgres = errors.New(postgresRemedy)

// postgresServer is the one of this test process.
type postgresServer struct {
	dir     string
	process *exec.Cmd
	count   atomic.Int64
}

var (
	startOnce sync.Once
	started   *postgresServer
	startErr  error
)

// openPostgres returns an empty database of its own, or nil if there is no PostgreSQL and this is not CI.
func openPostgres(t testing.TB) *dbutil.Database {
	t.Helper()
	startOnce.Do(func() { started, startErr = startPostgres() })
	if errors.Is(startErr, errNoPostgres) && os.Getenv("CI") != "true" {
		t.Log("!!! NOT RUN ON POSTGRESQL: " + postgresRemedy)
		return nil
	}
	check(t, startErr)
	name := fmt.Sprintf("test%d", started.count.Add(1))
	check(t, started.run("postgres", "CREATE DATABASE "+name))
	return started.open(t, name)
}

func (s *postgresServer) uri(name string) string {
	return fmt.Sprintf("host=%s user=postern dbname=%s sslmode=disable", s.dir, name)
}

func (s *postgresServer) open(t testing.TB, name string) *dbutil.Database {
	t.Helper()
	raw, err := database.Open(context.Background(), "postgres", s.uri(name), zerolog.Nop())
	check(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

func (s *postgresServer) run(name, query string) error {
	raw, err := database.Open(context.Background(), "postgres", s.uri(name), zerolog.Nop())
	if err != nil {
		return err
	}
	defer raw.Close()
	_, err = raw.Exec(context.Background(), query)
	return err
}

func startPostgres() (_ *postgresServer, err error) {
	initdb, err := findPostgres("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := findPostgres("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postern-pg-") // short: a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	s := &postgresServer{dir: dir}
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
func (s *postgresServer) waitUntilReady() error {
	deadline := time.After(postgresReadyTimeout)
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

func (s *postgresServer) stop() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Signal(syscall.SIGQUIT) // immediate shutdown: nothing here is worth a checkpoint
		_ = s.process.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

func findPostgres(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	if found, _ := filepath.Glob(filepath.Join(postgresDebianBin, program)); len(found) > 0 {
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

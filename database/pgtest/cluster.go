package pgtest

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

	"github.com/rs/zerolog"

	"postern/database"
)

const (
	debianBin = "/usr/lib/postgresql/*/bin" // where Debian keeps initdb and postgres, out of PATH
	owner     = "postern"
)

// ErrMissing: PostgreSQL is not there.
var ErrMissing = errors.New("PostgreSQL (initdb, postgres) is not installed: apt-get install postgresql")

// Cluster is the data of a server, and how to run it: Program with Args, in Dir, as Account.
type Cluster struct {
	Dir     string
	Program string
	Args    []string
	// Account is whom the server has to run as, nil for the caller.
	Account *syscall.Credential
}

// Create makes the data of a server in dir, which has to be empty, and short: a socket's path has at most 107 bytes. The caller removes
// it, also after an error. Errors: [ErrMissing].
func Create(ctx context.Context, dir string) (*Cluster, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	program, err := find("postgres")
	if err != nil {
		return nil, err
	}
	account, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	create := exec.CommandContext(ctx, initdb, "-D", data, "-U", owner, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	create.Dir, create.SysProcAttr = dir, &syscall.SysProcAttr{Credential: account}
	if output, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, output)
	}
	return &Cluster{
		Dir: dir, Program: program, Account: account,
		Args: []string{"-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off"},
	}, nil
}

// URI returns the address of a database.
func (c *Cluster) URI(name string) string {
	query := url.Values{"host": {c.Dir}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User(owner), Path: "/" + name, RawQuery: query.Encode()}).String()
}

// Ping returns nil if the server answers.
func (c *Cluster) Ping(ctx context.Context) error { return c.run(ctx, "SELECT 1") }

// NewDatabase makes an empty database and returns its address.
func (c *Cluster) NewDatabase(ctx context.Context, name string) (uri string, err error) {
	return c.URI(name), c.run(ctx, "CREATE DATABASE "+name)
}

func (c *Cluster) run(ctx context.Context, statement string) error {
	raw, err := database.Open(ctx, "postgres", c.URI("postgres"), zerolog.Nop())
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

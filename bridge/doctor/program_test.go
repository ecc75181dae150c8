package doctor_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"postern/bridge/doctor"
)

// nobody is another user than root, who may do everything.
const nobody = 65534

// programDir is where it is, "" if no test needed it.
var programDir string

// program is the real one, in a folder where everybody can run it. It is built once.
var program = sync.OnceValues(func() (path string, err error) {
	programDir, err = os.MkdirTemp("", "doctor-program-*")
	if err == nil {
		err = os.Chmod(programDir, 0o755)
	}
	if err != nil {
		return "", err
	}
	path = filepath.Join(programDir, "postern")
	if output, err := exec.Command("go", "build", "-tags", "goolm", "-o", path, "postern/cmd/postern").CombinedOutput(); err != nil {
		return path, fmt.Errorf("failed to build the program: %w: %s", err, output)
	}
	return path, nil
})

// run runs a command of the program on the installation, as the user whom it belongs to. failed is its exit status.
func (i *installation) run(args ...string) (output []byte, failed bool) {
	i.t.Helper()
	path, err := program()
	i.must(err)
	command := exec.Command(path, append(args, "--config", i.options.ConfigFile)...)
	command.Dir = os.TempDir()
	var errors_ bytes.Buffer
	command.Stderr = &errors_
	if i.owner != 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(i.owner), Gid: uint32(i.owner)}}
	}
	output, err = command.Output()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		i.t.Fatal(err)
	}
	return append(output, errors_.Bytes()...), err != nil
}

// asUser makes the installation that of a user who is not root, and lets examine run doctor's program as this user.
func (i *installation) asUser() {
	i.t.Helper()
	if os.Getuid() == 0 {
		i.owner = nobody
		i.must(os.Chmod(filepath.Dir(i.dir), 0o755))
		i.must(filepath.WalkDir(i.dir, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, nobody, nobody))
		}))
	}
	i.program = func(i *installation) (findings []doctor.Finding) {
		output, _ := i.run("doctor", "--json")
		if err := json.NewDecoder(bytes.NewReader(output)).Decode(&findings); err != nil {
			i.t.Fatalf("doctor said %s: %v", output, err)
		}
		return findings
	}
}

// may changes what the user may do with a file of the installation.
func (i *installation) may(name string, mode fs.FileMode) {
	i.t.Helper()
	i.must(os.Chmod(filepath.Join(i.dir, name), mode))
	i.t.Cleanup(func() { _ = os.Chmod(filepath.Join(i.dir, name), 0o700) }) // so that it can be removed
}

// denied makes a user's installation in which something is not allowed.
func denied(name string, mode fs.FileMode) func(i *installation) {
	return func(i *installation) {
		i.asUser()
		i.may(name, mode)
	}
}

// permissionFaults are those of the real program, run as a user who is not root.
var permissionFaults = []provoked{
	{"a config that the user may not read", denied("config.yaml", 0), "config.valid", doctor.Fault, "permission denied", "sudo -u"},
	{"a registration that the user may not read", denied("registration.yaml", 0), "registration.equal", doctor.Fault, "may not read", "readable"},
	{"a secret key that the user may not read", denied("postern.key", 0), "secret.key", doctor.Fault, "This user may not read", "chown"},
	{"a database that the user may not read", denied("postern.db", 0), "database.open", doctor.Fault, "unable to open database file", "chown"},
	{"a database that the user may not write", denied("postern.db", 0o400), "database.write", doctor.Fault, "may not write to", "chmod 600"},
	{"a folder that the user may not write", denied(".", 0o500), "database.write", doctor.Fault, "Nothing can be written to the folder of the database: this user may not do that", "chown"},
	{"a folder for files that the user may not write", denied("media", 0o500), "media.store", doctor.Fault, "this user may not do that", "chown"},
	{"a log that the user may not write", func(i *installation) {
		i.must(os.WriteFile(filepath.Join(i.dir, "log"), nil, 0o600))
		i.edit("config.yaml", "\n    file: \"\"\n", "\n    file: log\n")
		i.asUser()
		i.may("log", 0o400)
	}, "files.log", doctor.Fault, "this user may not do that", "chown"},
	{"a log in a folder that the user may not write", func(i *installation) {
		i.must(os.Mkdir(filepath.Join(i.dir, "logs"), 0o700))
		i.edit("config.yaml", "\n    file: \"\"\n", "\n    file: logs/postern\n")
		i.asUser()
		i.may("logs", 0o500)
	}, "files.log", doctor.Fault, "this user may not do that", "chown"},
}

// TestTheProgramFindsNothingWrongAsAnotherUser, so what it finds elsewhere comes from what was changed there.
func TestTheProgramFindsNothingWrongAsAnotherUser(t *testing.T) {
	i := install(t)
	i.asUser()
	for _, finding := range i.examine() {
		switch finding.Subject() {
		case "config", "files", "database", "secret", "registration", "media":
			if finding.Status != doctor.OK {
				t.Errorf("%+v", finding)
			}
		}
	}
}

package database_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Some tests need other processes on the same file, to race with or to kill. They run this very test binary, which TestMain
// turns into a child when the environment says so.

const (
	childMode = "POSTERN_TEST_CHILD"
	childPath = "POSTERN_TEST_CHILD_PATH"

	childFirstKey = "first-key"
	childWriter   = "writer"
	childUpgrader = "upgrader"
)

// runChild is the child's side. It returns the exit code.
func runChild(mode, path string) int {
	out := bufio.NewWriter(os.Stdout)
	say := func(line string) {
		fmt.Fprintln(out, line)
		out.Flush()
	}
	var err error
	switch mode {
	case childFirstKey:
		err = runFirstKey(path, os.Stdin, say)
	case childWriter:
		err = runWriter(path, say)
	case childUpgrader:
		err = runUpgrader(path, os.Stdin, say)
	default:
		err = fmt.Errorf("unknown mode %q", mode)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child is the parent's side.
type child struct {
	process *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Scanner
}

func startChild(t *testing.T, mode, path string) *child {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), childMode+"="+mode, childPath+"="+path)
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	check(t, err)
	stdout, err := process.StdoutPipe()
	check(t, err)
	check(t, process.Start())
	t.Cleanup(func() { _ = process.Process.Kill() })
	return &child{process: process, stdin: stdin, stdout: bufio.NewScanner(stdout)}
}

// line waits for the child's next line.
func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.stdout.Scan() {
		t.Fatalf("the child said nothing more: %v, %v", c.stdout.Err(), c.process.Wait())
	}
	return c.stdout.Text()
}

func (c *child) expect(t *testing.T, want string) {
	t.Helper()
	if got := c.line(t); got != want {
		t.Fatalf("the child said %q, want %q", got, want)
	}
}

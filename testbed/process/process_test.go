package process_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/testbed/process"
)

const deadline = 20 * time.Second

func start(t *testing.T, script string) (*process.Process, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := process.Start(process.Options{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, LogFile: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, log
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// logHas is a check that passes once the log holds the text.
func logHas(log, text string) process.Check {
	return func(context.Context) error {
		if content, _ := os.ReadFile(log); strings.Contains(string(content), text) {
			return nil
		}
		return errors.New("not there yet")
	}
}

func TestStopLetsTheProcessEndItself(t *testing.T) {
	p, log := start(t, `trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done`)
	if err := p.WaitReady(within(t), logHas(log, "up")); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	if tail := process.LogTail(log); !strings.HasSuffix(tail, "bye") {
		t.Errorf("the process did not end by itself, its log ends with %q", tail)
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	p, log := start(t, `trap '' TERM; echo up; while :; do sleep 0.05; done`)
	if err := p.WaitReady(within(t), logHas(log, "up")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the deadline as error, got %v", err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("the process still runs")
	}
}

func TestKillTakesTheWholeGroup(t *testing.T) {
	p, log := start(t, `sh -c 'echo child $$; exec sleep 600' & wait`)
	if err := p.WaitReady(within(t), logHas(log, "child")); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscanf(process.LogTail(log), "child %d", &child); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	gone := func(context.Context) error {
		// A killed grandchild stays a zombie until its new parent reaps it; signal 0 cannot tell, its state can.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return nil
		}
		return errors.New("child is alive")
	}
	waiter, _ := start(t, "exec sleep 600")
	if err := waiter.WaitReady(within(t), gone); err != nil {
		t.Error(err)
	}
}

func TestWaitReadyFailsWhenTheProcessEnds(t *testing.T) {
	p, _ := start(t, `echo "the reason is here"; exit 3`)
	err := p.WaitReady(within(t), func(context.Context) error { return errors.New("never") })
	if !errors.Is(err, process.ErrExited) {
		t.Fatalf("want ErrExited, got %v", err)
	}
	if !strings.Contains(err.Error(), "the reason is here") {
		t.Errorf("the error does not show the log: %v", err)
	}
}

func TestStartReportsAMissingProgram(t *testing.T) {
	_, err := process.Start(process.Options{
		Name: "nobody", Path: filepath.Join(t.TempDir(), "missing"), LogFile: filepath.Join(t.TempDir(), "log"),
	})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want ErrNotExist, got %v", err)
	}
}

// TestChildDiesWithItsOwner runs this test binary as the owner and kills it.
func TestChildDiesWithItsOwner(t *testing.T) {
	const role = "POSTERN_TEST_OWNER_LOG"
	if log := os.Getenv(role); log != "" {
		child, err := process.Start(process.Options{
			Name: "child", Path: "/bin/sh", Args: []string{"-c", "echo pid $$; exec sleep 600"}, LogFile: log,
		})
		if err != nil {
			t.Fatal(err)
		}
		<-child.Done()
		return
	}
	log := filepath.Join(t.TempDir(), "child")
	owner := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	owner.Env = append(os.Environ(), role+"="+log)
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	waiter, _ := start(t, "exec sleep 600")
	if err := waiter.WaitReady(within(t), logHas(log, "pid ")); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscanf(process.LogTail(log), "pid %d", &child); err != nil {
		t.Fatal(err)
	}
	if err := owner.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	gone := func(context.Context) error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return nil
		}
		return errors.New("child is alive")
	}
	if err := waiter.WaitReady(within(t), gone); err != nil {
		t.Error(err)
	}
}

func TestFreePortIsFreeAndNeverTheSame(t *testing.T) {
	seen := make(map[int]bool)
	for range 50 {
		port, err := process.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("port %d came twice", port)
		}
		seen[port] = true
		listener, err := net.Listen("tcp", process.Loopback(port))
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
}

func TestResidentBytesOfALiveProcess(t *testing.T) {
	p, _ := start(t, "exec sleep 600")
	size, err := p.ResidentBytes()
	if err != nil {
		t.Fatal(err)
	}
	if size <= 0 || size > 1<<30 {
		t.Errorf("a shell takes %d bytes", size)
	}
}

func TestServiceStartsAgainAfterAKill(t *testing.T) {
	var service process.Service
	t.Cleanup(service.Kill)
	log := filepath.Join(t.TempDir(), "log")
	options := process.Options{Name: "shell", Path: "/bin/sh", Args: []string{"-c", "echo up; exec sleep 600"}, LogFile: log}
	for range 2 {
		if err := service.Start(within(t), options, logHas(log, "up"), deadline); err != nil {
			t.Fatal(err)
		}
		if err := service.Start(within(t), options, logHas(log, "up"), deadline); !errors.Is(err, process.ErrRunning) {
			t.Errorf("starting it twice: got %v", err)
		}
		service.Kill()
	}
	if err := service.Stop(within(t)); err != nil {
		t.Errorf("stopping a stopped service: %v", err)
	}
	if size, err := service.ResidentBytes(); size != 0 || err != nil {
		t.Errorf("a stopped service takes %d bytes, %v", size, err)
	}
}

func TestErrorsShowTheFirstDataRace(t *testing.T) {
	p, log := start(t, `trap 'exit 66' TERM; echo up; echo "WARNING: DATA RACE"; echo "Read at here"; echo "====="
		for i in $(seq 500); do echo "line $i"; done; while :; do sleep 0.05; done`)
	if err := p.WaitReady(within(t), logHas(log, "line 500")); err != nil {
		t.Fatal(err)
	}
	err := p.Stop(within(t))
	if err == nil || !strings.Contains(err.Error(), "WARNING: DATA RACE\nRead at here\n---") {
		t.Errorf("got %v", err)
	}
}

func TestAProgramIsTalkedToOverPipes(t *testing.T) {
	programIn, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	output, programOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	log := filepath.Join(t.TempDir(), "log")
	p, err := process.Start(process.Options{
		Name: "echo", Path: "/bin/sh", Args: []string{"-c", "cat; echo complaint >&2"}, LogFile: log, Stdin: programIn, Stdout: programOut,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if _, err = input.WriteString("said"); err != nil {
		t.Fatal(err)
	}
	if err = input.Close(); err != nil {
		t.Fatal(err)
	}
	if heard, err := io.ReadAll(output); err != nil || string(heard) != "said" {
		t.Errorf("got %q, %v", heard, err)
	}
	<-p.Done()
	if tail := process.LogTail(log); tail != "complaint" {
		t.Errorf("the log is %q", tail)
	}
}

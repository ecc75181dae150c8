package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// ErrExited is wrapped by errors about a process that ended while it was waited for.
var ErrExited = errors.New("process exited")

// Options say what to run. Name, Path and LogFile must be set.
type Options struct {
	// Name is what errors call the process.
	Name string
	// Path is the program and Args are its arguments, without the program itself.
	Path string
	Args []string
	// Dir is the working directory; "" is the caller's.
	Dir string
	// Env is added to the caller's environment.
	Env []string
	// LogFile takes standard output and error. It is appended to, so that a restarted program continues its log.
	LogFile string
	// Credential is whom the process runs as; nil is the caller.
	Credential *syscall.Credential
	// Stdin, if set, is where the program reads from, and Stdout takes its standard output instead of the log. Start closes both:
	// they are the program's ends of pipes.
	Stdin, Stdout *os.File
}

// Process is a started program. Its methods are safe for concurrent use.
type Process struct {
	options Options
	pid     int
	done    chan struct{}
	exit    error // set before done is closed
}

// Start runs the program. The caller owns the process and must end it with Stop or Kill.
func Start(options Options) (*Process, error) {
	defer options.closePipes()
	log, err := os.OpenFile(options.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to open log of %s: %w", options.Name, err)
	}
	cmd := exec.Command(options.Path, options.Args...)
	cmd.Dir = options.Dir
	cmd.Env = append(os.Environ(), options.Env...)
	cmd.Stdout = log
	cmd.Stderr = log
	if options.Stdin != nil {
		cmd.Stdin = options.Stdin
	}
	if options.Stdout != nil {
		cmd.Stdout = options.Stdout
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: options.Credential}
	dieWithParent(cmd.SysProcAttr)

	p := &Process{options: options, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.runAndWait(cmd, log, started)
	if err = <-started; err != nil {
		return nil, fmt.Errorf("failed to start %s: %w", options.Name, err)
	}
	return p, nil
}

func (o Options) closePipes() {
	for _, end := range []*os.File{o.Stdin, o.Stdout} {
		if end != nil {
			_ = end.Close()
		}
	}
}

// runAndWait ends when the program does. It keeps its thread for that time, because the kernel sends the parent's
// death signal when the thread that started the child ends, not when the whole process does.
func (p *Process) runAndWait(cmd *exec.Cmd, log *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	defer log.Close()
	err := cmd.Start()
	if err == nil {
		p.pid = cmd.Process.Pid
	}
	started <- err
	if err == nil {
		p.exit = cmd.Wait()
	}
}

// PID is the process's number.
func (p *Process) PID() int { return p.pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// dumpTimeout is how long a process that does not stop has to write down what it was doing.
const dumpTimeout = 2 * time.Second

// Stop asks the process to end and kills it when ctx does; before that, a Go program is made to write its goroutines
// into its log. Returns how it ended: nil for exit code 0.
func (p *Process) Stop(ctx context.Context) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.signal(syscall.SIGQUIT)
		select {
		case <-p.done:
		case <-time.After(dumpTimeout):
		}
		p.Kill()
		return fmt.Errorf("%s did not stop in time and was killed: %w", p.options.Name, ctx.Err())
	}
	if p.exit != nil {
		return fmt.Errorf("%s ended badly: %w%s", p.options.Name, p.exit, p.tail())
	}
	return nil
}

// Kill ends the process group with SIGKILL and waits until the process is gone.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Halt makes the process stand still, as on a machine that hangs: its connections stay and it answers nothing. Continue ends that.
func (p *Process) Halt()     { p.signal(syscall.SIGSTOP) }
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

// signal reaches the whole group. An error means that nobody is left to be told.
func (p *Process) signal(sig syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.pid, sig)
	}
}

package transcode

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// maxMemory is how much memory ffmpeg may allocate, in bytes: enough for a film in 4K, which it has to decode
	// before it is made smaller. The memory files are not counted.
	maxMemory = 1 << 30
	// maxFiles is how many files it may have open. It needs five, and some while it starts.
	maxFiles = 32
	// niceness lets the daemon's own work go first.
	niceness = 10
	// overshoot is how far, in bytes, a result may grow over its limit before ffmpeg is killed: it notices the limit
	// after a packet, and then writes its index.
	overshoot = 4 << 20
)

// supported makes a memory file for a try: containers may forbid it.
func supported() error {
	file, err := memoryFile("postern-probe")
	if err != nil {
		return fmt.Errorf("%w with memfd_create: %w", ErrUnsupported, err)
	}
	return file.Close()
}

// memoryFile creates a file that has no name on any disk. It is gone when the last process that has it closes it.
func memoryFile(name string) (*os.File, error) {
	descriptor, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(descriptor), name), nil
}

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// restrict limits a program that was just started. It needs far longer than we do to come to its input. A core dump
// would bring plain text to the disk.
func restrict(pid int, l limits) error {
	seconds := 2 * (uint64(l.time.Seconds()) + 1) // it has some threads, in spite of what it is told
	output := uint64(l.output + overshoot)
	for _, limit := range []struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_DATA, maxMemory},
		{unix.RLIMIT_FSIZE, output},
		{unix.RLIMIT_NOFILE, maxFiles},
		{unix.RLIMIT_CPU, seconds},
	} {
		var now unix.Rlimit
		if err := unix.Prlimit(pid, limit.resource, nil, &now); err != nil {
			return ended(err)
		}
		value := min(limit.value, now.Max) // nobody may raise the hard limit
		if err := unix.Prlimit(pid, limit.resource, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil {
			return ended(err)
		}
	}
	return ended(unix.Setpriority(unix.PRIO_PROCESS, pid, niceness))
}

// ended forgives that there is nothing to limit any more.
func ended(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// outgrew tells whether a program was killed because of the size of its file.
func outgrew(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGXFSZ
}

package report

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine says where the figures come from. What cannot be found out is left empty.
type Machine struct {
	Cores     int    `json:"cores"`
	Processor string `json:"processor"`
	MemoryMiB int    `json:"memory_mib"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	// Commit is that of the working directory, with a plus if files were changed since.
	Commit string `json:"commit"`
}

// gitTimeout bounds the questions about the commit.
const gitTimeout = 10 * time.Second

// ThisMachine asks the system.
func ThisMachine(ctx context.Context) Machine {
	return Machine{
		Cores:     runtime.NumCPU(),
		Processor: field("/proc/cpuinfo", "model name"),
		MemoryMiB: memoryMiB(),
		Kernel:    strings.TrimSpace(contentOf("/proc/sys/kernel/osrelease")),
		Go:        runtime.Version(),
		Commit:    commit(ctx),
	}
}

func (m Machine) String() string {
	return fmt.Sprintf("%d cores (%s), %d MiB, kernel %s, %s, commit %s",
		m.Cores, m.Processor, m.MemoryMiB, m.Kernel, m.Go, m.Commit)
}

// contentOf returns a file of the system, "" where there is none.
func contentOf(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(content)
}

// field returns the first value of a name in a file of names and values.
func field(path, name string) string {
	for line := range strings.Lines(contentOf(path)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func memoryMiB() int {
	var kib int
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kib); err != nil {
		return 0
	}
	return kib >> 10
}

// commit asks git about the working directory: what is measured is built from there.
func commit(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no").Output()
	mark := ""
	if err != nil || len(changed) > 0 {
		mark = "+"
	}
	return strings.TrimSpace(string(head)) + mark
}

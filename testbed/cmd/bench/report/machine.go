package report

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine says where the figures come from. What cannot be found out is left empty.
type Machine struct {
	Cores     int    `json:"cores"`
	Processor string `json:"processor"`
	MemoryMiB int    `json:"memory_mib"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	// Commit is the one that the benchmark was built from, with a plus if files were changed since.
	Commit string `json:"commit"`
}

// ThisMachine asks the system.
func ThisMachine() Machine {
	return Machine{
		Cores:     runtime.NumCPU(),
		Processor: field("/proc/cpuinfo", "model name"),
		MemoryMiB: memoryMiB(),
		Kernel:    strings.TrimSpace(contentOf("/proc/sys/kernel/osrelease")),
		Go:        runtime.Version(),
		Commit:    commit(),
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

func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	settings := make(map[string]string)
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	if settings["vcs.modified"] == "true" {
		return settings["vcs.revision"] + "+"
	}
	return settings["vcs.revision"]
}

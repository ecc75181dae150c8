package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ResidentBytes returns how much memory of the process is in RAM. Linux only.
func (p *Process) ResidentBytes() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, fmt.Errorf("failed to read memory of %s: %w", p.options.Name, err)
	}
	for line := range strings.Lines(string(status)) {
		value, found := strings.CutPrefix(line, "VmRSS:")
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("failed to parse memory of %s: %w", p.options.Name, err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("failed to read memory of %s: no VmRSS in its status", p.options.Name)
}

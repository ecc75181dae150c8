package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// resetPeak is what makes the kernel forget the largest size so far, written to /proc/PID/clear_refs. See proc(5).
const resetPeak = "5"

var errNoSize = errors.New("its status does not tell it")

// ResidentBytes returns how much memory of the process is in RAM. Linux only.
func (p *Process) ResidentBytes() (int64, error) { return p.statusBytes("VmRSS") }

// PeakBytes returns the most memory of the process that was in RAM at a time since its start or the last ResetPeak.
// Linux only.
func (p *Process) PeakBytes() (int64, error) { return p.statusBytes("VmHWM") }

// ResetPeak makes PeakBytes begin anew, from what is in RAM now. Linux only.
func (p *Process) ResetPeak() error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.pid), []byte(resetPeak), 0); err != nil {
		return fmt.Errorf("failed to reset peak memory of %s: %w", p.options.Name, err)
	}
	return nil
}

// statusBytes returns a size that the kernel tells in the process's status.
func (p *Process) statusBytes(name string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, fmt.Errorf("failed to read memory of %s: %w", p.options.Name, err)
	}
	for line := range strings.Lines(string(status)) {
		value, found := strings.CutPrefix(line, name+":")
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("failed to parse memory of %s: %w", p.options.Name, err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("failed to read memory of %s: %s: %w", p.options.Name, name, errNoSize)
}

// ResidentBytes is how much memory the program takes; 0 if it does not run.
func (s *Service) ResidentBytes() (int64, error) { return ask(s, (*Process).ResidentBytes) }

// PeakBytes is the most memory that the program took since its start or the last ResetPeak; 0 if it does not run.
func (s *Service) PeakBytes() (int64, error) { return ask(s, (*Process).PeakBytes) }

// ResetPeak makes PeakBytes begin anew. It does nothing if the program does not run.
func (s *Service) ResetPeak() error {
	_, err := ask(s, func(p *Process) (struct{}, error) { return struct{}{}, p.ResetPeak() })
	return err
}

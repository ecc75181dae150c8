package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// clockTick is the unit of times in /proc: USER_HZ, which is 100 on all of Linux that Go runs on.
	clockTick = time.Second / 100
	// userTimeField and systemTimeField are the places in /proc/PID/stat after the program's name, counted from 0.
	userTimeField   = 11
	systemTimeField = 12
)

var errNoTimes = errors.New("no times in its status")

// ProcessorTime returns how long all of the process's threads have run until now, to a hundredth of a second. Linux only.
func (p *Process) ProcessorTime() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, fmt.Errorf("failed to read processor time of %s: %w", p.options.Name, err)
	}
	// The name is in parentheses and may hold spaces.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) <= systemTimeField {
		return 0, fmt.Errorf("failed to read processor time of %s: %w", p.options.Name, errNoTimes)
	}
	var ticks time.Duration
	for _, field := range []string{fields[userTimeField], fields[systemTimeField]} {
		count, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("failed to parse processor time of %s: %w", p.options.Name, err)
		}
		ticks += time.Duration(count)
	}
	return ticks * clockTick, nil
}

// ProcessorTime is how long the program has run on a processor since it was started; 0 if it does not run.
func (s *Service) ProcessorTime() (time.Duration, error) { return ask(s, (*Process).ProcessorTime) }

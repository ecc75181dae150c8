package process

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	// pollInterval is how often readiness is asked for.
	pollInterval = 25 * time.Millisecond
	// checkTimeout bounds one question.
	checkTimeout = 2 * time.Second
	// tailLines, tailBytes and tailLine bound what errors show of a log, and of one line of it.
	tailLines = 40
	tailBytes = 32 << 10
	tailLine  = 300
	// raceLines bounds what errors show of a report of a data race.
	raceLines = 60
)

// Check returns nil when the process is ready.
type Check func(ctx context.Context) error

// HTTPCheck asks for a URL and wants the status 200.
func HTTPCheck(url string) Check {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered with status %d", url, response.StatusCode)
		}
		return nil
	}
}

// WaitReady asks until the check passes. It fails as soon as the process ends or ctx does, and shows the log's end.
func (p *Process) WaitReady(ctx context.Context, check Check) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, checkTimeout)
		err := check(once)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%w before it was ready: %s: %v%s", ErrExited, p.options.Name, p.exit, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: last check: %w%s", p.options.Name, ctx.Err(), err, p.tail())
		case <-ticker.C:
		}
	}
}

// tail is the end of the log, set off for an error text, and before it the first data race that the log reports.
func (p *Process) tail() string {
	var text strings.Builder
	if race := RaceReport(p.options.LogFile); race != "" {
		fmt.Fprintf(&text, "\n--- %s has a data race ---\n%s", p.options.Name, race)
	}
	if end := LogTail(p.options.LogFile); end != "" {
		fmt.Fprintf(&text, "\n--- end of %s's log ---\n%s", p.options.Name, end)
	}
	return text.String()
}

// RaceReport returns the first report of Go's race detector in a log, "" if there is none.
func RaceReport(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	var report []string
	for scanner := bufio.NewScanner(file); scanner.Scan() && len(report) < raceLines; {
		line := scanner.Text()
		switch {
		case len(report) == 0 && line != "WARNING: DATA RACE":
		case strings.HasPrefix(line, "====="):
			return strings.Join(report, "\n")
		default:
			report = append(report, line)
		}
	}
	return strings.Join(report, "\n")
}

// LogTail returns the last lines of a log file, "" if it cannot be read.
func LogTail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	size := int64(0)
	if info, statErr := file.Stat(); statErr == nil {
		size = info.Size()
	}
	end := make([]byte, min(size, tailBytes))
	n, _ := file.ReadAt(end, size-int64(len(end)))
	lines := strings.Split(strings.TrimRight(string(end[:n]), "\n"), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, line := range lines {
		if len(line) > tailLine {
			lines[i] = strings.ToValidUTF8(line[:tailLine], "") + " [...]"
		}
	}
	return strings.Join(lines, "\n")
}

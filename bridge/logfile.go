package bridge

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// logFileCheck is how often a log file is looked for at most: a rotated one is written to for so long.
const logFileCheck = time.Second

// logFile is a log that programs such as logrotate may move away: it is made anew then, without a signal. Safe for concurrent use.
type logFile struct {
	path    string
	lock    sync.Mutex
	file    *os.File
	checked time.Time
}

func openLogFile(path string) (*logFile, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to open the log file: %w", err)
	}
	return &logFile{path: path, file: file}, nil
}

// Write implements io.Writer.
func (f *logFile) Write(line []byte) (int, error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if now := time.Now(); now.Sub(f.checked) >= logFileCheck {
		f.checked = now
		f.follow()
	}
	return f.file.Write(line)
}

// follow opens the file that has the name now. If there can be none, the old one takes the lines, wherever it is.
func (f *logFile) follow() {
	current, err := f.file.Stat()
	if err != nil {
		return
	}
	if named, err := os.Stat(f.path); err == nil && os.SameFile(current, named) {
		return
	}
	next, err := openLogFile(f.path)
	if err != nil {
		return
	}
	_ = f.file.Close()
	f.file = next.file
}

// Close implements io.Closer.
func (f *logFile) Close() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.file.Close()
}

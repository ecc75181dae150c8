package bridge

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/config"
)

// NewLogger makes the daemon's logger. Close the returned closer when nothing logs any more.
func NewLogger(cfg config.Logging) (zerolog.Logger, io.Closer, error) {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		return zerolog.Nop(), nil, fmt.Errorf("unknown log level: %w", err)
	}
	var out io.Writer = os.Stderr
	var closer io.Closer = io.NopCloser(nil)
	if cfg.File != "" {
		file, err := os.OpenFile(cfg.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return zerolog.Nop(), nil, fmt.Errorf("failed to open the log file: %w", err)
		}
		out, closer = file, file
	}
	if cfg.Format == "text" {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.RFC3339, NoColor: cfg.File != "" || !isTerminal(os.Stderr)}
	}
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	if cfg.Format == "text" {
		zerolog.TimeFieldFormat = time.RFC3339Nano
	}
	return zerolog.New(out).Level(level).Hook(withhold{}).With().Timestamp().Logger(), closer, nil
}

// withhold drops the two messages of mautrix that would hold what users wrote: the first word of what is no command, which
// may be a message that went to the wrong room, and the addresses and search terms of requests to the provisioning
// interface, of which package homeserver logs what an admin needs.
type withhold struct{}

// Run implements zerolog.Hook.
func (withhold) Run(e *zerolog.Event, _ zerolog.Level, message string) {
	if message == "Received unknown command" || message == "Access" {
		e.Discard()
	}
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

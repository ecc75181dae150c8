package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/config"
	"postern/bridge/troubles"
)

// fieldComponent is the field of the log that says which part of the program wrote a line.
const fieldComponent = "component"

// textTime is how the time is written in the format for people, to the millisecond, since steps of a message are that close.
const textTime = "2006-01-02T15:04:05.000Z07:00"

// NewLogger makes the daemon's logger. What it writes goes to recent, too. Close the returned closer when nothing logs any more.
func NewLogger(cfg config.Logging, recent *troubles.Recent) (zerolog.Logger, io.Closer, error) {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		return zerolog.Nop(), nil, fmt.Errorf("unknown log level: %w", err)
	}
	var out io.Writer = os.Stderr
	var closer io.Closer = io.NopCloser(nil)
	if cfg.File != "" {
		file, err := openLogFile(cfg.File)
		if err != nil {
			return zerolog.Nop(), nil, err
		}
		out, closer = file, file
	}
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	if cfg.Format == "text" {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: textTime, NoColor: cfg.File != "" || !isTerminal(os.Stderr)}
		zerolog.TimeFieldFormat = time.RFC3339Nano
	}
	return zerolog.New(bodiless{zerolog.MultiLevelWriter(out, recent)}).Level(level).Hook(withhold{}).With().Timestamp().Logger(), closer, nil
}

// logOf makes the logger of a component, with the level that the config has for it.
func logOf(log zerolog.Logger, cfg config.Logging, component string) zerolog.Logger {
	if _, own := cfg.Levels[component]; own {
		log = log.Level(cfg.LevelOf(component))
	}
	return log.With().Str(fieldComponent, component).Logger()
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

// bodiless takes out of the lines what requests to the homeserver said, which mautrix logs at the level debug: reactions, contacts'
// names and whatever else Matrix does not encrypt.
type bodiless struct{ zerolog.LevelWriter }

const fieldBody = "req_body"

// Write implements io.Writer.
func (w bodiless) Write(line []byte) (int, error) { return w.WriteLevel(zerolog.NoLevel, line) }

// WriteLevel implements zerolog.LevelWriter.
func (w bodiless) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	if !bytes.Contains(line, []byte(`"`+fieldBody+`":`)) {
		return w.LevelWriter.WriteLevel(level, line)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return 0, errors.New("failed to take a request's body out of a line") // the error could quote it
	}
	delete(fields, fieldBody)
	kept, err := json.Marshal(fields)
	if err != nil {
		return 0, fmt.Errorf("failed to write a line without a request's body: %w", err)
	}
	if _, err = w.LevelWriter.WriteLevel(level, append(kept, '\n')); err != nil {
		return 0, err
	}
	return len(line), nil
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

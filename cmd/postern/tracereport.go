package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge"
	"postern/bridge/config"
	"postern/bridge/trace"
)

// traceReport is what `postern trace` found. Of story and logErr one is set, and of stored and storedErr.
type traceReport struct {
	cfg       *config.Config
	id        string
	story     *trace.Story
	logErr    error
	stored    *bridge.Stored
	storedErr error
}

const (
	traceTime  = "2006-01-02 15:04:05.000"
	traceWidth = len(traceTime)
)

func (r *traceReport) write(out io.Writer) error {
	var text strings.Builder
	r.writeLog(&text)
	text.WriteByte('\n')
	r.writeStored(&text)
	_, err := io.WriteString(out, text.String())
	return err
}

func (r *traceReport) writeLog(text *strings.Builder) {
	if r.logErr != nil {
		fmt.Fprintf(text, "The log was not read: %v\n", r.logErr)
		return
	}
	for _, ids := range []struct {
		what string
		ids  []string
	}{{"Matrix event", r.story.Events}, {"in the chat channel", r.story.Messages}, {"room", r.story.Rooms}} {
		if len(ids.ids) > 0 {
			fmt.Fprintf(text, "%s: %s\n", ids.what, strings.Join(ids.ids, " "))
		}
	}
	text.WriteByte('\n')
	if len(r.story.Lines) == 0 {
		r.writeNothing(text)
		return
	}
	var before time.Time
	for _, line := range r.story.Lines {
		at := line.Time.UTC().Format(traceTime)
		if !before.IsZero() {
			at = "+" + line.Time.Sub(before).Round(time.Millisecond).String()
		}
		before = line.Time
		fmt.Fprintf(text, "%*s  %-14s  %s%s\n", traceWidth, at, line.Component, levelMark(line.Level), line.Text)
		if line.Error != "" {
			fmt.Fprintf(text, "%*s  %s\n", traceWidth+16, "", "because: "+line.Error)
		}
		if details := detailText(line.Details); details != "" {
			fmt.Fprintf(text, "%*s  %s\n", traceWidth+16, "", details)
		}
	}
	if r.story.Left > 0 {
		fmt.Fprintf(text, "%d more lines are not shown.\n", r.story.Left)
	}
	if missing := r.tooHigh(); len(missing) > 0 && len(r.story.Lines) < fewLines {
		fmt.Fprintf(text, "Steps in between are not in the log: the level of %s is above debug (logging.level, logging.levels).\n",
			strings.Join(missing, ", "))
	}
}

// fewLines is with how many lines a message may have more to tell than the log holds.
const fewLines = 4

// writeNothing says why there may be no lines.
func (r *traceReport) writeNothing(text *strings.Builder) {
	fmt.Fprintf(text, "The log has no line about %s.\n", r.id)
	if r.story.Begin.IsZero() {
		text.WriteString("It has no lines of the bridge at all: is it the right one?\n")
		return
	}
	fmt.Fprintf(text, "It begins at %s UTC; what was before that is in a file that was rotated away, if anywhere.\n", r.story.Begin.UTC().Format(traceTime))
	if missing := r.tooHigh(); len(missing) > 0 {
		fmt.Fprintf(text, "The level of %s is above debug (logging.level, logging.levels), so a message has a line only when it is done, or fails.\n",
			strings.Join(missing, ", "))
	}
}

// tooHigh lists the components on the way of a message that do not log its steps.
func (r *traceReport) tooHigh() (components []string) {
	for _, component := range []string{config.ComponentHomeserver, config.ComponentBridge, config.ComponentInterop} {
		if r.cfg.Logging.LevelOf(component) > zerolog.DebugLevel {
			components = append(components, component)
		}
	}
	return components
}

func levelMark(level string) string {
	switch level {
	case "warn", "error", "fatal", "panic":
		return strings.ToUpper(level) + " "
	default:
		return ""
	}
}

// quietDetails are fields that say the same at every step, or where in the program it was.
var quietDetails = map[string]bool{
	"action": true, "event_loop_index": true, "login_id": true, "user_mxid": true, "portal_id": true, "portal_receiver": true,
	"portal_mxid": true, "sender": true, "source_id": true, "caller": true, "stack": true, "remote_sender": true, "remote_timestamp": true,
	"gatekeeper_time": true, "remote_message_id": true, "remote_target_message_id": true,
}

// units are those of times in the log.
var units = map[string]string{"took": " ms", "retry_in": " ms", "duration": " ms"}

func detailText(details []trace.Detail) string {
	var parts []string
	for _, detail := range details {
		if quietDetails[detail.Name] {
			continue
		}
		parts = append(parts, detail.Name+" "+detail.Value+units[detail.Name])
	}
	return strings.Join(parts, ", ")
}

func (r *traceReport) writeStored(text *strings.Builder) {
	switch {
	case r.storedErr != nil:
		fmt.Fprintf(text, "The database was not read: %v\n", r.storedErr)
		return
	case len(r.stored.Waiting) == 0 && len(r.stored.Shown) == 0:
		text.WriteString("The database knows nothing of it. It remembers messages to contacts for two weeks, and events as long as there is the chat.\n")
		return
	}
	text.WriteString("The database now:\n")
	for _, sentence := range r.stored.Sentences() {
		fmt.Fprintf(text, "  %s\n", sentence)
	}
}

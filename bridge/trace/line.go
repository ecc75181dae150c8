package trace

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLine bounds a line in bytes; what is longer is not looked at.
	maxLine = 64 << 10
	// maxFields bounds what is read of a line, and maxText a field in bytes.
	maxFields = 64
	maxText   = 1 << 10
	// maxListed bounds the ids in one field of a line.
	maxListed = 64
)

// Line is a line of the log.
type Line struct {
	Time time.Time
	// Level is debug, info, warn, error and so on; "" if there is none.
	Level     string
	Component string
	Text      string
	// Error is the cause, "" if there is none.
	Error string
	// Events and Messages are the ids that it is about.
	Events, Messages []string
	Room             string
	// Details are the other fields, sorted by name.
	Details []Detail
}

// Detail is a field of a line.
type Detail struct{ Name, Value string }

// joins tells whether the ids belong to one message.
func (l *Line) joins() bool { return len(l.Messages) == 1 && len(l.Events) > 0 }

var (
	ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// prefixed is what docker compose writes before a line.
	prefixed  = regexp.MustCompile(`^[A-Za-z0-9_.-]+ +\| `)
	firstPart = regexp.MustCompile(`(^| )[A-Za-z_][A-Za-z0-9_]*=`)
)

// textLevels are the levels as the text format writes them.
var textLevels = map[string]string{
	"TRC": "trace", "DBG": "debug", "INF": "info", "WRN": "warn", "ERR": "error", "FTL": "fatal", "PNC": "panic",
}

// ParseLine reads a line of either format. ok is false for what is no line of the daemon's.
func ParseLine(data []byte) (line Line, ok bool) {
	if len(data) > maxLine {
		return Line{}, false
	}
	data = bytes.TrimSpace(data)
	if match := prefixed.Find(data); match != nil {
		data = data[len(match):]
	}
	if len(data) > 0 && data[0] == '{' {
		return parseJSON(data)
	}
	return parseText(string(ansi.ReplaceAll(data, nil)))
}

func parseJSON(data []byte) (line Line, ok bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return Line{}, false
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), maxFields)] {
		switch raw := fields[name]; name {
		case "time":
			line.Time, ok = parseTime(plain(raw))
		case "message":
			line.Text = cut(plain(raw))
		case "level":
			line.Level = cut(plain(raw))
		default:
			line.set(name, raw)
		}
	}
	return line, ok
}

// parseText reads what zerolog.ConsoleWriter writes: time, level, text, and fields as name=value.
func parseText(text string) (line Line, ok bool) {
	at, rest, _ := strings.Cut(text, " ")
	if line.Time, ok = parseTime(at); !ok {
		return Line{}, false
	}
	level, rest, _ := strings.Cut(rest, " ")
	if line.Level, ok = textLevels[level]; !ok {
		return Line{}, false
	}
	fields := ""
	if border := firstPart.FindStringIndex(rest); border != nil {
		rest, fields = rest[:border[0]], strings.TrimPrefix(rest[border[0]:], " ")
	}
	line.Text = cut(strings.TrimPrefix(rest, "> ")) // after a caller
	for count := 0; fields != "" && count < maxFields; count++ {
		name, after, found := strings.Cut(fields, "=")
		if !found {
			break
		}
		var raw json.RawMessage
		raw, fields = textValue(after)
		line.set(strings.TrimSpace(name), raw)
	}
	return line, true
}

// textValue takes the value from the beginning of the fields, as JSON.
func textValue(text string) (value json.RawMessage, rest string) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		if plain, err := strconv.Unquote(quoted); err == nil {
			value, _ = json.Marshal(plain)
			return value, strings.TrimPrefix(text[len(quoted):], " ")
		}
	}
	if text != "" && (text[0] == '[' || text[0] == '{') {
		decoder := json.NewDecoder(strings.NewReader(text))
		if decoder.Decode(&value) == nil {
			return value, strings.TrimPrefix(text[decoder.InputOffset():], " ")
		}
	}
	word, rest, _ := strings.Cut(text, " ")
	value, _ = json.Marshal(word)
	return value, rest
}

func (l *Line) set(name string, raw json.RawMessage) {
	switch name {
	case "component":
		l.Component = cut(plain(raw))
	case "error":
		l.Error = cut(plain(raw))
	case "room_id":
		l.Room = cut(plain(raw))
	case "event_id":
		l.Events = addID(l.Events, plain(raw))
	case "message_id":
		l.Messages = addID(l.Messages, plain(raw))
	case "event_ids":
		for _, id := range list(raw) {
			l.Events = addID(l.Events, id)
		}
	case "message_ids":
		for _, id := range list(raw) {
			l.Messages = addID(l.Messages, id)
		}
	default:
		if text := plain(raw); text != "" {
			l.Details = append(l.Details, Detail{cut(name), cut(text)})
		}
	}
}

func addID(ids []string, id string) []string {
	if id == "" || len(id) > maxID || slices.Contains(ids, id) || len(ids) >= maxListed {
		return ids
	}
	return append(ids, id)
}

// plain is a text without quotes, anything else as it is.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func list(raw json.RawMessage) (ids []string) {
	_ = json.Unmarshal(raw, &ids) // what is no list of texts has no ids
	return ids
}

// cut bounds a text, and makes it one that a terminal shows as it is.
func cut(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.Map(func(letter rune) rune {
		if !strconv.IsPrint(letter) {
			return '\uFFFD'
		}
		return letter
	}, text)
}

// parseTime reads Unix milliseconds, or RFC 3339.
func parseTime(text string) (at time.Time, ok bool) {
	if number, err := strconv.ParseInt(text, 10, 64); err == nil {
		at = time.UnixMilli(number)
	} else if at, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return time.Time{}, false
	}
	return at, at.Year() >= 1970 && at.Year() < 10000
}

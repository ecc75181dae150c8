package troubles

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// maxKinds is how many different troubles are kept; the one that was not seen for longest goes first.
	maxKinds = 100
	// maxLine is the longest line of the log that is read, maxText what is kept of a text and maxDetails how many details, in bytes and
	// in number: all kinds together take less than a megabyte.
	maxLine    = 64 << 10
	maxText    = 500
	maxDetails = 12
)

// Trouble is a warning or error, with all its repetitions.
type Trouble struct {
	Level zerolog.Level
	// Message is what the log says, Error the cause that it names last, "" for none.
	Message, Error string
	// Details are what else the last line says, such as ids, sorted by name.
	Details     []Detail
	Count       int
	First, Last time.Time
}

// Detail is a field of a line.
type Detail struct{ Name, Value string }

// Recent takes lines of the log, each as JSON, and keeps those that are warnings or worse. It holds what the log holds: ids, and no
// content. It is safe for concurrent use.
type Recent struct {
	now func() time.Time

	lock  sync.Mutex
	kinds []*Trouble // those seen last at the end
}

var _ zerolog.LevelWriter = (*Recent)(nil)

// NewRecent makes an empty one.
func NewRecent(now func() time.Time) *Recent { return &Recent{now: now} }

// Write implements io.Writer for lines without a level, which are none of ours.
func (r *Recent) Write(line []byte) (int, error) { return len(line), nil }

// WriteLevel implements zerolog.LevelWriter. It never fails: nothing may keep the log from being written.
func (r *Recent) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	if level >= zerolog.WarnLevel && level <= zerolog.PanicLevel {
		r.add(level, line)
	}
	return len(line), nil
}

func (r *Recent) add(level zerolog.Level, line []byte) {
	seen := read(line)
	r.lock.Lock()
	defer r.lock.Unlock()
	seen.Level, seen.Count, seen.Last = level, 1, r.now()
	seen.First = seen.Last
	same := slices.IndexFunc(r.kinds, func(t *Trouble) bool { return t.Level == level && t.Message == seen.Message })
	switch {
	case same >= 0:
		seen.Count, seen.First = r.kinds[same].Count+1, r.kinds[same].First
		r.kinds = slices.Delete(r.kinds, same, same+1)
	case len(r.kinds) == maxKinds:
		r.kinds = slices.Delete(r.kinds, 0, 1)
	}
	r.kinds = append(r.kinds, seen)
}

// read takes a line apart.
func read(line []byte) *Trouble {
	var fields map[string]any
	if len(line) > maxLine || json.Unmarshal(line, &fields) != nil {
		return &Trouble{Message: "A line of the log cannot be shown here"}
	}
	trouble := &Trouble{Message: short(fields[zerolog.MessageFieldName]), Error: short(fields[zerolog.ErrorFieldName])}
	for name, value := range fields {
		switch name {
		case zerolog.MessageFieldName, zerolog.ErrorFieldName, zerolog.LevelFieldName, zerolog.TimestampFieldName, zerolog.CallerFieldName,
			zerolog.ErrorStackFieldName:
		default:
			trouble.Details = append(trouble.Details, Detail{Name: cut(name), Value: short(value)})
		}
	}
	slices.SortFunc(trouble.Details, func(a, b Detail) int { return strings.Compare(a.Name, b.Name) })
	trouble.Details = trouble.Details[:min(len(trouble.Details), maxDetails)]
	return trouble
}

// short writes a value as people read it, and not all of a long one.
func short(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return cut(value)
	case float64, bool:
		return fmt.Sprint(value)
	default:
		text, _ := json.Marshal(value) // it was JSON before
		return cut(string(text))
	}
}

func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// All returns copies, those seen last first.
func (r *Recent) All() []Trouble {
	r.lock.Lock()
	defer r.lock.Unlock()
	all := make([]Trouble, 0, len(r.kinds))
	for _, trouble := range slices.Backward(r.kinds) {
		all = append(all, *trouble)
	}
	return all
}

package trace

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// maxID is how long an id may be, in bytes: Matrix allows 255.
	maxID = 255
	// maxIDs bounds what may belong to one message, and maxLines the lines about it, of which the first count.
	maxIDs   = 64
	maxLines = 10000
	// maxPasses is how often the log is read at most: for the id, for what belongs to it, and for what belongs to that.
	maxPasses = 3
)

// ErrNoID: what was asked for cannot be in a log.
var ErrNoID = errors.New("that is no id: give an event's, which begins with $, or a message's of the chat channel")

var idShape = regexp.MustCompile(`^[$A-Za-z0-9._:=+/-]+$`)

// CheckID tells whether a text can be an id. The error is [ErrNoID].
func CheckID(id string) error {
	if len(id) > maxID || !idShape.MatchString(id) {
		return ErrNoID
	}
	return nil
}

// Story is what a log says of one message.
type Story struct {
	// Events and Messages are all ids of it, with the one that was asked for.
	Events, Messages []string
	Rooms            []string
	// Lines are in the order of time. Left is how many more there are.
	Lines []Line
	Left  int
	// Begin is the time of the log's first line, zero if it has none.
	Begin time.Time
}

// Source is a log, or a part of one. It is opened several times.
type Source struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// Follow collects the lines about a message. The sources are read one after the other, up to three times.
// more are ids that are known to belong to it. Errors: [ErrNoID], and those of the sources.
func Follow(id string, more []string, sources []Source) (*Story, error) {
	ids := new(ids)
	for _, id := range append([]string{id}, more...) {
		if err := CheckID(id); err != nil {
			return nil, err
		}
		ids.add(id)
	}
	for pass := 1; ; pass++ {
		story, before := &Story{}, len(ids.all)
		for _, source := range sources {
			if err := story.read(source, ids); err != nil {
				return nil, fmt.Errorf("failed to read %s: %w", source.Name, err)
			}
		}
		if len(ids.all) > before && pass < maxPasses {
			continue
		}
		for _, id := range ids.all {
			if strings.HasPrefix(id, "$") {
				story.Events = append(story.Events, id)
			} else {
				story.Messages = append(story.Messages, id)
			}
		}
		slices.SortStableFunc(story.Lines, func(a, b Line) int { return a.Time.Compare(b.Time) })
		return story, nil
	}
}

// ids are those that belong together, in the order in which they were found.
type ids struct{ all []string }

func (i *ids) add(id string) {
	if len(i.all) < maxIDs && CheckID(id) == nil && !slices.Contains(i.all, id) {
		i.all = append(i.all, id)
	}
}

// mayBeIn is a quick look that spares parsing.
func (i *ids) mayBeIn(line []byte) bool {
	return slices.ContainsFunc(i.all, func(id string) bool { return bytes.Contains(line, []byte(id)) })
}

func (i *ids) hasAny(of []string) bool {
	return slices.ContainsFunc(of, func(id string) bool { return slices.Contains(i.all, id) })
}

func (s *Story) read(source Source, ids *ids) (err error) {
	opened, err := source.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	reader := bufio.NewReaderSize(opened, maxLine)
	for {
		data, err := reader.ReadSlice('\n')
		if len(data) > 0 {
			s.take(data, ids)
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is too long
			_, err = reader.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (s *Story) take(data []byte, ids *ids) {
	if !s.Begin.IsZero() && !ids.mayBeIn(data) {
		return
	}
	line, ok := ParseLine(data)
	if !ok {
		return
	}
	if s.Begin.IsZero() {
		s.Begin = line.Time
	}
	if !ids.hasAny(line.Events) && !ids.hasAny(line.Messages) {
		return
	}
	if line.joins() {
		for _, id := range slices.Concat(line.Events, line.Messages) {
			ids.add(id)
		}
	}
	if line.Room != "" && !slices.Contains(s.Rooms, line.Room) && len(s.Rooms) < maxIDs {
		s.Rooms = append(s.Rooms, line.Room)
	}
	if len(s.Lines) < maxLines {
		s.Lines = append(s.Lines, line)
	} else {
		s.Left++
	}
}

package trace_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/trace"
)

// way logs a message from Matrix to the chat channel between others, in the way the daemon does.
func way(log zerolog.Logger) {
	homeserver := log.With().Str("component", "homeserver").Logger()
	homeserver.Debug().Str("event_id", "$other").Msg("An event came from the homeserver")
	homeserver.Debug().Str("event_id", "$one").Str("room_id", "!room:example.org").Str("transaction_id", "7").Msg("An event came from the homeserver")
	bridge := log.With().Str("component", "bridge").Logger()
	bridge.Debug().Str("event_id", "$one").Str("message_id", "3EB0A").Bool("file", false).Msg("A message is in the outbox")
	bridge.Debug().Str("event_id", "$other").Str("message_id", "3EB0AB").Msg("A message is in the outbox")
	interop := log.With().Str("component", "interop").Logger()
	interop.Warn().Err(errors.New(`no "devices" = here`)).Str("message_id", "3EB0A").Int("tries", 1).Msg("Message refused for now")
	interop.Debug().Strs("message_ids", []string{"3EB0AB", "3EB0A"}).Msg("A contact's receipt came")
	interop.Debug().Str("message_id", "3EB0AB").Msg("A message goes over the chat channel")
}

// formats are the two forms of the log.
func formats() map[string]func(io.Writer) zerolog.Logger {
	return map[string]func(io.Writer) zerolog.Logger{
		"json": func(out io.Writer) zerolog.Logger { return zerolog.New(out).With().Timestamp().Logger() },
		"text": func(out io.Writer) zerolog.Logger {
			return zerolog.New(zerolog.ConsoleWriter{Out: out, TimeFormat: "2006-01-02T15:04:05.000Z07:00", NoColor: true}).With().Timestamp().Logger()
		},
		"text with colors, from docker compose": func(out io.Writer) zerolog.Logger {
			colored := zerolog.ConsoleWriter{Out: prefixer{out}, TimeFormat: time.RFC3339}
			return zerolog.New(colored).With().Timestamp().Logger()
		},
	}
}

type prefixer struct{ io.Writer }

func (p prefixer) Write(line []byte) (int, error) {
	_, err := fmt.Fprintf(p.Writer, "postern-1  | %s", line)
	return len(line), err
}

func source(data []byte) []trace.Source {
	return []trace.Source{{Name: "test", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}}
}

func texts(story *trace.Story) (texts []string) {
	for _, line := range story.Lines {
		texts = append(texts, line.Text)
	}
	return texts
}

func TestAMessageIsFollowedFromEitherSideInEveryFormat(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	want := []string{
		"An event came from the homeserver", "A message is in the outbox", "Message refused for now", "A contact's receipt came",
	}
	for name, format := range formats() {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			way(format(&log))
			for _, id := range []string{"$one", "3EB0A"} {
				story, err := trace.Follow(id, nil, source(log.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				if got := texts(story); !slices.Equal(got, want) {
					t.Errorf("%s: %q", id, got)
				}
				if !slices.Equal(story.Events, []string{"$one"}) || !slices.Equal(story.Messages, []string{"3EB0A"}) ||
					!slices.Equal(story.Rooms, []string{"!room:example.org"}) {
					t.Errorf("%s: events %q, messages %q, rooms %q", id, story.Events, story.Messages, story.Rooms)
				}
				if len(story.Lines) < 3 {
					continue
				}
				refused := story.Lines[2]
				if refused.Component != "interop" || refused.Level != "warn" || refused.Error != `no "devices" = here` ||
					!slices.Contains(refused.Details, trace.Detail{Name: "tries", Value: "1"}) {
					t.Errorf("%s: %+v", id, refused)
				}
			}
			if strings.Contains(name, "colors") != bytes.Contains(log.Bytes(), []byte("\x1b[")) {
				t.Error("colors are not where they should be")
			}
		})
	}
}

func TestAnIDThatIsNotInTheLogTellsWhereTheLogBegins(t *testing.T) {
	var log bytes.Buffer
	log.WriteString("-- Journal begins at some time --\n")
	begin := time.Now().Truncate(time.Second)
	way(formats()["text"](&log))
	story, err := trace.Follow("$none", nil, source(log.Bytes()))
	if err != nil || len(story.Lines) != 0 || story.Begin.Before(begin) || story.Begin.After(time.Now()) {
		t.Errorf("%+v, %v", story, err)
	}
}

func TestWhatIsKnownElsewhereHelpsToFollow(t *testing.T) {
	log := []byte(`{"level":"debug","time":1760000000000,"component":"interop","message_id":"A","message":"A message goes over the chat channel"}` + "\n")
	story, err := trace.Follow("$one", []string{"A"}, source(log))
	if err != nil || len(story.Lines) != 1 || !story.Lines[0].Time.Equal(time.UnixMilli(1760000000000)) {
		t.Errorf("%+v, %v", story, err)
	}
}

func TestWhatIsNoIDIsRefused(t *testing.T) {
	for _, id := range []string{"", "a b", "a\n", `a"`, "\x1b[0m", strings.Repeat("a", 256)} {
		if _, err := trace.Follow(id, nil, nil); !errors.Is(err, trace.ErrNoID) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestALineThatIsTooLongHidesNoOther(t *testing.T) {
	log := `{"time":1,"message":"begin"}` + "\n" + strings.Repeat("$one ", 100_000) + "\n" + `{"time":2,"event_id":"$one","message":"found"}`
	story, err := trace.Follow("$one", nil, source([]byte(log)))
	if err != nil || !slices.Equal(texts(story), []string{"found"}) {
		t.Errorf("%+v, %v", story, err)
	}
}

func TestRotatedFilesAreReadInTheirOrder(t *testing.T) {
	dir := t.TempDir()
	line := func(number int) []byte {
		return fmt.Appendf(nil, `{"time":%d,"event_id":"$one","message":"step %d"}`+"\n", number, number)
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write(line(1))
	if err = errors.Join(err, writer.Close()); err != nil {
		t.Fatal(err)
	}
	for i, file := range []struct {
		name string
		data []byte
	}{{"log.2.gz", packed.Bytes()}, {"log.1", line(2)}, {"log-20260131", line(3)}, {"log", line(4)}, {"log.conf", line(5)}, {"logs", line(6)}} {
		path := filepath.Join(dir, file.name)
		if err := os.WriteFile(path, file.data, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(1_760_000_000+i), 0)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := trace.Files(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	story, err := trace.Follow("$one", nil, sources)
	if err != nil || !slices.Equal(texts(story), []string{"step 1", "step 2", "step 3", "step 4"}) {
		t.Errorf("%q, %v", texts(story), err)
	}
	if _, err = trace.Files(filepath.Join(dir, "other")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
}

func TestStandardInputIsReadMoreThanOnce(t *testing.T) {
	var log bytes.Buffer
	way(formats()["json"](&log))
	source, end, err := trace.Spool(&log, "")
	if err != nil {
		t.Fatal(err)
	}
	story, err := trace.Follow("3EB0A", nil, []trace.Source{source})
	if err = errors.Join(err, end()); err != nil || len(story.Lines) != 4 {
		t.Errorf("%d lines, %v", len(story.Lines), err)
	}
}

func TestStandardInputIsReadWhereOnlyTheBridgesFolderCanBeWritten(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	t.Setenv("TMPDIR", missing)
	var log bytes.Buffer
	way(formats()["json"](&log))
	source, end, err := trace.Spool(&log, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	story, err := trace.Follow("3EB0A", nil, []trace.Source{source})
	if err = errors.Join(err, end()); err != nil || len(story.Lines) != 4 {
		t.Errorf("%d lines, %v", len(story.Lines), err)
	}
	if _, _, err = trace.Spool(&log, missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

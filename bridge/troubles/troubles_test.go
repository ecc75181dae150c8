package troubles_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/troubles"
	"postern/docs"
)

func newLog() (*zerolog.Logger, *troubles.Recent, *time.Time) {
	now := time.Unix(1_800_000_000, 0)
	recent := troubles.NewRecent(func() time.Time { return now })
	log := zerolog.New(zerolog.MultiLevelWriter(io.Discard, recent)).With().Timestamp().Logger()
	return &log, recent, &now
}

func TestWarningsAreKeptByWhatTheySay(t *testing.T) {
	log, recent, now := newLog()
	log.Info().Msg("Postern is running")
	log.Warn().Str("gatekeeper", "wa").Int("attempt", 3).Msg("The gatekeeper does not answer")
	first := *now
	*now = now.Add(time.Minute)
	log.Error().Err(errors.New("disk is full")).Msg("Failed to store")
	*now = now.Add(time.Minute)
	log.Warn().Err(errors.New("refused")).Str("user_id", "@alice:example.org").Msg("The gatekeeper does not answer")
	got := recent.All()
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	warning, failure := got[0], got[1]
	if warning.Message != "The gatekeeper does not answer" || warning.Count != 2 || warning.Error != "refused" || warning.Level != zerolog.WarnLevel ||
		!warning.First.Equal(first) || !warning.Last.Equal(*now) {
		t.Errorf("got %+v", warning)
	}
	if len(warning.Details) != 1 || warning.Details[0] != (troubles.Detail{Name: "user_id", Value: "@alice:example.org"}) {
		t.Errorf("the last line's details are %+v", warning.Details)
	}
	if failure.Error != "disk is full" || failure.Count != 1 || failure.Level != zerolog.ErrorLevel || len(failure.Details) != 0 {
		t.Errorf("got %+v", failure)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	log, recent, _ := newLog()
	log.Warn().Msg("the oldest")
	for i := range 100 {
		log.Warn().Str("long", strings.Repeat("ä", 1000)).Err(errors.New(strings.Repeat("x", 10_000))).Msg(fmt.Sprint("number ", i))
	}
	got := recent.All()
	if len(got) != 100 || got[0].Message != "number 99" || got[99].Message != "number 0" {
		t.Fatalf("%d kinds from %q to %q", len(got), got[0].Message, got[len(got)-1].Message)
	}
	if len(got[0].Error) > 600 || len(got[0].Details[0].Value) > 600 {
		t.Errorf("an error of %d bytes and a detail of %d", len(got[0].Error), len(got[0].Details[0].Value))
	}
	log.Warn().Str("long", strings.Repeat("x", 70_000)).Msg("too long to be read")
	if message := recent.All()[0].Message; message != "A line of the log cannot be shown here" {
		t.Error(message)
	}
}

// TestThePageKnowsWhatHelps with what the program really says, in errors that others wrap.
func TestThePageKnowsWhatHelps(t *testing.T) {
	remedies := troubles.ReadRemedies(docs.Troubleshooting)
	for said, want := range map[string]string{
		"Failed to fetch the keys that pushes are checked with":                                                          "push_keys_url is wrong",
		"failed to connect: chat server certificate not signed by the configured root key (depth 2)":                     "root_key is wrong",
		"failed to store the file: the bucket refuses the request: SignatureDoesNotMatch":                                "one of the keys in public.s3 is wrong",
		"Synapse is older than 1.100, which is the oldest that the bridge is made for":                                   "It is not tested",
		"ffmpeg cannot be used: voice messages, GIFs and stickers are sent as ordinary files where they need conversion": "Install ffmpeg",
		"something that nobody wrote about":                                                                              "",
		"postern":                                                                                                        "",
	} {
		got := remedies.For("another text", said)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("for %q: %q", said, got)
		}
		if strings.ContainsAny(got, "`*") || strings.Contains(got, "](") {
			t.Errorf("for %q there are marks of Markdown left: %q", said, got)
		}
	}
}

// FuzzALineOfTheLog: errors quote what others sent, so a line may hold anything.
func FuzzALineOfTheLog(f *testing.F) {
	f.Add([]byte(`{"level":"warn","error":"x","user_id":"@a:b","n":1,"list":[1,{"a":null}],"message":"m"}`))
	f.Add([]byte(`{"message":{"a":1}}`))
	f.Add([]byte("null"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, line []byte) {
		recent := troubles.NewRecent(time.Now)
		if n, err := recent.WriteLevel(zerolog.ErrorLevel, line); n != len(line) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		trouble := recent.All()[0]
		texts := []string{trouble.Message, trouble.Error}
		for _, detail := range trouble.Details {
			texts = append(texts, detail.Name, detail.Value)
		}
		for _, text := range texts {
			if len(text) > 510 {
				t.Errorf("a text of %d bytes", len(text))
			}
		}
		if len(trouble.Details) > 12 {
			t.Errorf("%d details", len(trouble.Details))
		}
	})
}

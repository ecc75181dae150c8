package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const tracedLine = `{"level":"info","component":"bridge","time":%d,"event_id":"$one","message_id":"3EB0A","kind":"text","took":12.5,"message":"A message of a user is done"}` + "\n"

func TestTraceReadsTheLogOfTheConfigAndSaysWhatItLacks(t *testing.T) {
	path, _ := installed(t)
	if said, err := postern(t, "trace", "$one", "--config", path); err != nil || !strings.Contains(said, "logging.file is empty") ||
		!strings.Contains(said, "The database knows nothing of it") {
		t.Errorf("without a log: %s, %v", said, err)
	}
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("POSTERN_LOGGING_FILE", log)
	at := time.Now().UnixMilli()
	for name, content := range map[string]string{log + ".1": fmt.Sprintf(tracedLine, at), log: `{"time":1,"message":"begin"}` + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"$one", "3EB0A"} {
		said, err := postern(t, "trace", id, "--config", path)
		if err != nil || !strings.Contains(said, "A message of a user is done") || !strings.Contains(said, "kind text, took 12.5 ms") ||
			!strings.Contains(said, "Matrix event: $one") || !strings.Contains(said, "the level of homeserver, bridge, interop is above debug") {
			t.Errorf("%s: %s, %v", id, said, err)
		}
	}
	said, err := postern(t, "trace", "$two", "--config", path)
	if err != nil || !strings.Contains(said, "no line about $two") || !strings.Contains(said, "It begins at ") || !strings.Contains(said, "only when it is done") {
		t.Errorf("an unknown one: %s, %v", said, err)
	}
	if _, err = postern(t, "trace", "no id", "--config", path); err == nil || !strings.Contains(err.Error(), "that is no id") {
		t.Errorf("what is no id: %v", err)
	}
}

func TestTraceReadsStandardInput(t *testing.T) {
	path, _ := installed(t)
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetIn(strings.NewReader(fmt.Sprintf(tracedLine, 1_760_000_000_000)))
	root.SetArgs([]string{"trace", "3EB0A", "-", "--config", path})
	if err := root.ExecuteContext(context.Background()); err != nil || !strings.Contains(out.String(), "2025-10-09 08:53:20.000") {
		t.Errorf("%s, %v", &out, err)
	}
}

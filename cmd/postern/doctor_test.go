package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/bridge/doctor"
)

var examples = []doctor.Finding{
	{Check: "config.valid", Status: doctor.OK, Text: "The config is valid."},
	{Check: "homeserver.token", Status: doctor.Fault, Text: "The token is wrong.", Remedy: "Correct it."},
	{Check: "homeserver.ping", Status: doctor.Warning, Text: "It is slow.", Remedy: "Wait."},
	{Check: "programs.ffmpeg", Status: doctor.Note, Text: "There is none."},
}

func TestFindingsAreReadableWithoutATerminal(t *testing.T) {
	var out strings.Builder
	if err := printFindings(&out, examples, false); err != nil {
		t.Fatal(err)
	}
	const want = `config
  ok      The config is valid.
homeserver
  fault   The token is wrong.
          → Correct it.
  warning It is slow.
          → Wait.
programs
  note    There is none.

faults: 1, warnings: 1, notes: 1, ok: 1
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestATerminalGetsMarks(t *testing.T) {
	var out strings.Builder
	if err := printFindings(&out, examples, true); err != nil {
		t.Fatal(err)
	}
	for status, mark := range marks {
		if !strings.Contains(out.String(), mark) || strings.Contains(out.String(), "  "+string(status)+" ") {
			t.Errorf("no mark for %s in %q", status, out.String())
		}
	}
}

func TestDoctorTellsScripts(t *testing.T) {
	dir := t.TempDir()
	said, err := postern(t, "doctor", "--json", "--config", filepath.Join(dir, "config.yaml"))
	var findings []doctor.Finding
	if decodeErr := json.Unmarshal([]byte(said), &findings); decodeErr != nil || len(findings) != 1 {
		t.Fatalf("said %q, %v", said, decodeErr)
	}
	if err == nil || !strings.Contains(findings[0].Text, "`postern init` writes one") {
		t.Errorf("without a config: %v, %+v", err, findings)
	}
	for _, args := range [][]string{{}, {"--json"}} {
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("doctor left %v", entries)
		}
		if _, err = postern(t, append([]string{"doctor", "--config", filepath.Join(dir, "config.yaml")}, args...)...); err == nil {
			t.Error("no error, so the exit status would be 0")
		}
	}
	if faultError(examples[2:]) != nil {
		t.Error("a warning is no fault")
	}
}

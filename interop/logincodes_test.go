package interop_test

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

// loginErrors are those that docs/protocol.md names.
var loginErrors = map[string]error{
	"ErrNotEnlisted": interop.ErrNotEnlisted, "ErrOutdated": interop.ErrOutdated, "ErrReplaced": interop.ErrReplaced,
	"ErrTokenRefused": interop.ErrTokenRefused,
}

// loginRow is a line of the protocol's table of failures and stream errors.
type loginRow struct {
	codes    []int
	conflict string // of a stream error
	ends     bool   // the client does not try again
	err      error  // nil for one that nobody has to look after
	inARow   int    // how often it comes until err is reported
}

// loginRows reads the table where it is written down.
func loginRows(t *testing.T) (rows []loginRow) {
	t.Helper()
	text, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| `failure` reason or `stream:error` code | meaning | what the client does |\n|---|---|---|\n")
	if !found {
		t.Fatal("the table is not there any more")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	number, conflict, name := regexp.MustCompile(`\b\d{3}\b`), regexp.MustCompile(`<conflict type="(\w+)"/>`), regexp.MustCompile("`(Err\\w+)`")
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 3 {
			t.Fatalf("a line of %d cells: %s", len(cells), line)
		}
		row := loginRow{ends: strings.HasPrefix(cells[2], "ends"), inARow: 1}
		for _, code := range number.FindAllString(cells[0], -1) {
			value, _ := strconv.Atoi(code) // three digits
			row.codes = append(row.codes, value)
		}
		if strings.Contains(cells[0], "all others") {
			row.codes = append(row.codes, 0, 400, 599, 999)
		}
		if match := conflict.FindStringSubmatch(cells[0]); match != nil {
			row.conflict = match[1]
		}
		if match := name.FindStringSubmatch(cells[2]); match != nil {
			if row.err = loginErrors[match[1]]; row.err == nil {
				t.Fatalf("the protocol names %s, which this test does not know", match[1])
			}
		}
		if strings.Contains(cells[2], "from the third in a row on") {
			row.inARow = 3
		}
		if len(row.codes) == 0 && row.conflict == "" {
			t.Fatalf("a line without a code: %s", line)
		}
		rows = append(rows, row)
	}
	if len(rows) < 6 {
		t.Fatalf("only %d lines", len(rows))
	}
	return rows
}

// stanzas are the ways in which the gatekeeper says it.
func (r *loginRow) stanzas() map[string]waBinary.Node {
	if r.conflict != "" {
		end := waBinary.Node{Tag: "stream:error", Content: []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": r.conflict}}}}
		if len(r.codes) > 0 {
			end.Attrs = waBinary.Attrs{"code": r.codes[0]}
		}
		return map[string]waBinary.Node{"stream error " + r.conflict: end}
	}
	all := make(map[string]waBinary.Node)
	for _, code := range r.codes {
		all["failure "+strconv.Itoa(code)] = failure(code)
		all["stream error "+strconv.Itoa(code)] = waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{"code": code}}
	}
	return all
}

// TestEveryLoginFailureInTheProtocolMeansWhatItSays: what docs/protocol.md says about a code is what the client does.
func TestEveryLoginFailureInTheProtocolMeansWhatItSays(t *testing.T) {
	for _, row := range loginRows(t) {
		for name, stanza := range row.stanzas() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newPeer(t)
				s := newSubject(t, p)
				s.Start()
				for range row.inARow - 1 {
					p.accept().send(stanza)
					if down := waitFor[*interop.Disconnected](s.events); isAny(down.Err) {
						t.Errorf("reported too early: %v", down.Err)
					}
				}
				p.accept().send(stanza)
				if row.ends {
					if ended := waitFor[*interop.Ended](s.events); !errors.Is(ended.Err, row.err) {
						t.Errorf("ended with %v, want %v", ended.Err, row.err)
					}
					return
				}
				down := waitFor[*interop.Disconnected](s.events)
				if row.err == nil && isAny(down.Err) || row.err != nil && !errors.Is(down.Err, row.err) {
					t.Errorf("got %v, want %v", down.Err, row.err)
				}
			})
		}
	}
}

// isAny tells whether an error is one that the protocol gives a name.
func isAny(err error) bool {
	for _, named := range loginErrors {
		if errors.Is(err, named) {
			return true
		}
	}
	return false
}

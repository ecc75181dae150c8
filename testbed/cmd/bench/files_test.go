package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"postern/testbed/cmd/bench/report"
)

func TestPayloadIsOneFileThatIsRecognizedEverywhere(t *testing.T) {
	const size = 100_000
	file, err := newPayload(size)
	if err != nil {
		t.Fatal(err)
	}
	if err = iotest.TestReader(file.open(), read(t, file.open())); err != nil {
		t.Error(err)
	}
	content := read(t, file.open())
	if len(content) != size {
		t.Errorf("it has %d bytes", len(content))
	}
	for part := range bytes.Lines(content[:bytes.LastIndexByte(content, '\n')]) {
		if !bytes.HasPrefix(part, []byte(file.mark)) {
			t.Fatalf("a line is %q", part)
		}
	}
	if err = file.check(bytes.NewReader(content)); err != nil {
		t.Error(err)
	}
	content[size/2] ^= 1
	if err = file.check(bytes.NewReader(content)); !errors.Is(err, errDamaged) {
		t.Errorf("with a flipped bit: got %v", err)
	}
	if err = file.check(iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("of a reader that fails: got %v", err)
	}
}

func TestCurlCarriesAFileAndFailsWhereTheServerDoes(t *testing.T) {
	curl, err := findCurl()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("!!! NOT RUN: ", err)
	}
	var uploaded string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPost:
			content, _ := io.ReadAll(r.Body)
			uploaded = string(content)
		default:
			_, _ = io.WriteString(w, "content")
		}
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err = curl.get(t.Context(), server.URL+"/[x]?a=b&c=d", "secret", file); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "content" {
		t.Errorf("got %q, %v", content, err)
	}
	if err = curl.post(t.Context(), server.URL, "secret", file); err != nil || uploaded != "content" {
		t.Errorf("uploaded %q, %v", uploaded, err)
	}
	if err = curl.get(t.Context(), server.URL, "", file); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without a token: got %v", err)
	}
}

func TestAMissingCurlIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := findCurl(); !errors.Is(err, errNoCurl) {
		t.Errorf("got %v", err)
	}
}

func TestFileFigures(t *testing.T) {
	c := &carriage{
		transfer: &transfer{name: "there"}, size: 100,
		taken: seconds(2, 3, 1), curl: seconds(1, 4, 2), before: []float64{40, 41, 42}, growth: []float64{1, 17, 2},
	}
	var r report.Report
	if err := r.Add(c.figures()...); err != nil {
		t.Fatal(err)
	}
	for n, want := range []struct {
		value   float64
		verdict report.Verdict
	}{{2000, report.Reached}, {50, report.NoTarget}, {17, report.Missed}} {
		if got := r.Figures[n]; got.Value != want.value || got.Verdict != want.verdict {
			t.Errorf("%s is %f %s, %s", got.Name, got.Value, got.Unit, got.Verdict)
		}
	}
}

func read(t *testing.T, reader io.Reader) []byte {
	t.Helper()
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// fakeTransfer arrives when it may.
func fakeTransfer(arrive func(ctx context.Context) error) *transfer {
	return &transfer{
		name: "fake",
		send: func(context.Context) error { return nil },
		expect: func() func(context.Context) (func(context.Context) error, error) {
			return func(ctx context.Context) (func(context.Context) error, error) { return nil, arrive(ctx) }
		},
	}
}

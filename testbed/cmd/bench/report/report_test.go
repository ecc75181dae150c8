package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/testbed/cmd/bench/report"
)

func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		value, baseline float64
		target          *report.Target
		want            report.Verdict
	}{
		"ratio reached":         {60, 100, &report.Target{Subject: report.Ratio, AtLeast: true, Number: 0.6}, report.Reached},
		"ratio missed":          {59, 100, &report.Target{Subject: report.Ratio, AtLeast: true, Number: 0.6}, report.Missed},
		"value reached":         {1500, 9000, &report.Target{Subject: report.Value, AtLeast: true, Number: 1500}, report.Reached},
		"value missed":          {1499, 9000, &report.Target{Subject: report.Value, AtLeast: true, Number: 1500}, report.Missed},
		"limit kept":            {64, 40, &report.Target{Subject: report.Value, Number: 64}, report.Reached},
		"limit passed":          {64.1, 40, &report.Target{Subject: report.Value, Number: 64}, report.Missed},
		"difference kept":       {25, 10, &report.Target{Subject: report.Difference, Number: 15}, report.Reached},
		"difference passed":     {25.1, 10, &report.Target{Subject: report.Difference, Number: 15}, report.Missed},
		"nothing to be reached": {1, 1, nil, report.NoTarget},
	} {
		t.Run(name, func(t *testing.T) {
			var r report.Report
			if err := r.Add(report.Figure{Name: name, Value: test.value, Baseline: test.baseline, Target: test.target}); err != nil {
				t.Fatal(err)
			}
			if got := r.Figures[0].Verdict; got != test.want {
				t.Errorf("the verdict is %q", got)
			}
		})
	}
}

func TestFiguresThatWereNotMeasuredAreRefused(t *testing.T) {
	for name, figure := range map[string]report.Figure{
		"no number":   {Value: math.NaN(), Baseline: 1},
		"no limit":    {Value: 1, Baseline: math.Inf(1)},
		"negative":    {Value: -1, Baseline: 1},
		"no baseline": {Value: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var r report.Report
			if err := r.Add(figure); !errors.Is(err, report.ErrNotMeasured) || len(r.Figures) != 0 {
				t.Errorf("got %v and %d figures", err, len(r.Figures))
			}
		})
	}
}

func TestTableAndFileShowEverythingAboutAFigure(t *testing.T) {
	r := &report.Report{Homeserver: "dendrite", Machine: report.ThisMachine(t.Context()), Failures: []string{"users: too many"}}
	err := r.Add(report.Figure{
		Name: "speed", Value: 300, Unit: "messages/s", Baseline: 400, BaselineName: "raw",
		Target: &report.Target{Subject: report.Ratio, AtLeast: true, Number: 0.6},
	})
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err = r.Print(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"speed", "300 messages/s", "400 (raw)", "0.75", "ratio >= 0.60", "reached", "too many", "dendrite"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &table)
		}
	}

	path := filepath.Join(t.TempDir(), "new", "bench.json")
	if err = r.Write(path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read report.Report
	if err = json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	if read.Figures[0].Ratio != 0.75 || read.Figures[0].Verdict != report.Reached || read.Machine != r.Machine {
		t.Errorf("read back %+v", read)
	}
}

func TestTheMachineIsKnown(t *testing.T) {
	machine := report.ThisMachine(t.Context())
	if machine.Cores == 0 || machine.Go == "" {
		t.Errorf("got %+v", machine)
	}
}

func TestPercentiles(t *testing.T) {
	numbers := report.Milliseconds([]time.Duration{4 * time.Millisecond, 1 * time.Millisecond, 3 * time.Millisecond, 2500 * time.Microsecond})
	if got := report.Median(numbers); got != 2.5 {
		t.Errorf("the median is %f", got)
	}
	if got := report.Percentile(numbers, 95); got != 4 {
		t.Errorf("the 95th percentile is %f", got)
	}
	if got := report.Median([]float64{7}); got != 7 {
		t.Errorf("the median of one is %f", got)
	}
}

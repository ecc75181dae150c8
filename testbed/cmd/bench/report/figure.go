// Package report judges measured figures and writes them as a table and as JSON.
package report

import (
	"errors"
	"fmt"
	"math"
)

// Subject is what a target is about.
type Subject string

const (
	// Value is the figure itself.
	Value Subject = "value"
	// Ratio is the figure divided by its baseline.
	Ratio Subject = "ratio"
	// Difference is the figure less its baseline.
	Difference Subject = "difference"
)

// Target is what a figure shall reach.
type Target struct {
	Subject Subject `json:"subject"`
	// AtLeast tells a number that is to be reached from one that is not to be passed.
	AtLeast bool    `json:"at_least"`
	Number  float64 `json:"number"`
}

// Verdict says whether a target was reached.
type Verdict string

const (
	Reached  Verdict = "reached"
	Missed   Verdict = "missed"
	NoTarget Verdict = "no target"
)

// ErrNotMeasured is wrapped by errors about a figure that makes no sense.
var ErrNotMeasured = errors.New("figure was not measured")

// Figure is one measured number beside what the same machine does without the part that is measured.
type Figure struct {
	Name string `json:"name"`
	// Value and Baseline are in Unit.
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Baseline float64 `json:"baseline"`
	// BaselineName says what the baseline is.
	BaselineName string `json:"baseline_name"`
	// Ratio and Difference compare Value with Baseline. [Report.Add] fills them in, and the verdict.
	Ratio      float64 `json:"ratio"`
	Difference float64 `json:"difference"`
	// Target is nil for figures that only explain others.
	Target  *Target `json:"target,omitempty"`
	Verdict Verdict `json:"verdict"`
}

// judge fills in what follows from the measured numbers.
func (f *Figure) judge() error {
	for _, number := range []float64{f.Value, f.Baseline} {
		if math.IsNaN(number) || math.IsInf(number, 0) || number < 0 {
			return fmt.Errorf("%w: %s: %f, baseline %f", ErrNotMeasured, f.Name, f.Value, f.Baseline)
		}
	}
	if f.Baseline == 0 {
		return fmt.Errorf("%w: %s has no baseline", ErrNotMeasured, f.Name)
	}
	f.Ratio, f.Difference = f.Value/f.Baseline, f.Value-f.Baseline
	switch {
	case f.Target == nil:
		f.Verdict = NoTarget
	case f.Target.AtLeast && f.compared() >= f.Target.Number, !f.Target.AtLeast && f.compared() <= f.Target.Number:
		f.Verdict = Reached
	default:
		f.Verdict = Missed
	}
	return nil
}

// compared is what the target is about.
func (f *Figure) compared() float64 {
	switch f.Target.Subject {
	case Ratio:
		return f.Ratio
	case Difference:
		return f.Difference
	default:
		return f.Value
	}
}

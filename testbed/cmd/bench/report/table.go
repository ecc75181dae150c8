package report

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// columnGap is the space between two columns.
const columnGap = 2

// Print writes the table that people read.
func (r *Report) Print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, columnGap, ' ', 0)
	fmt.Fprintln(table, "figure\tmeasured\tbaseline\tratio\ttarget\tverdict")
	for _, f := range r.Figures {
		fmt.Fprintf(table, "%s\t%s %s\t%s (%s)\t%s\t%s\t%s\n",
			f.Name, number(f.Value), f.Unit, number(f.Baseline), f.BaselineName, number(f.Ratio), f.target(), f.Verdict)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, failure := range r.Failures {
		if _, err := fmt.Fprintln(out, "FAILED", failure); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "\n%s on %s\n", r.Homeserver, r.Machine)
	return err
}

// target is what is to be reached and, if it is not the value itself, what was.
func (f *Figure) target() string {
	if f.Target == nil {
		return "-"
	}
	sign := "<="
	if f.Target.AtLeast {
		sign = ">="
	}
	switch f.Target.Subject {
	case Ratio:
		return fmt.Sprintf("ratio %s %s", sign, number(f.Target.Number))
	case Difference:
		return fmt.Sprintf("%s %s %s more, is %s", sign, number(f.Target.Number), f.Unit, number(f.Difference))
	default:
		return fmt.Sprintf("%s %s %s", sign, number(f.Target.Number), f.Unit)
	}
}

// number shows three digits, or all before the point.
func number(value float64) string {
	switch {
	case value >= 100 || value <= -100:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case value >= 10 || value <= -10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	default:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
}

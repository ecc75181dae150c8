package adminpage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The chart's measures, in the units of its viewBox. The plot has room for labels at the left and below.
const (
	chartWidth, chartHeight = 560, 190
	plotLeft, plotRight     = 56, 552
	plotTop, plotBottom     = 10, 164
)

// drawing is a chart as the template draws it, and the same as a table.
type drawing struct {
	ID, Title, Unit string
	// Summary says in words what the lines show.
	Summary       string
	Width, Height int
	Left, Right   int
	// Levels are lines across, with what they stand for, Moments labels below.
	Levels  []label
	Moments []label
	Lines   []path
	Rows    []row
}

type label struct {
	X, Y int
	Text string
}

// path is a line: pieces of points, between which there are no values.
type path struct {
	Name   string
	Number int
	Pieces []string
}

type row struct {
	At     time.Time
	Values []string
}

// draw makes a drawing of a chart. coarse is the same chart with few points, for the table.
func draw(chart, coarse Chart) drawing {
	d := drawing{ID: chart.ID, Title: chart.Title, Unit: chart.Unit, Width: chartWidth, Height: chartHeight, Left: plotLeft, Right: plotRight}
	top := 0.0
	for _, line := range chart.Lines {
		for _, value := range line.Values {
			if value > top { // NaN is not
				top = value
			}
		}
	}
	top = round(top)
	for _, share := range []float64{0, .5, 1} {
		if chart.Unit == "" && top*share != math.Trunc(top*share) {
			continue // what is counted has no halves
		}
		d.Levels = append(d.Levels, label{X: plotLeft - 6, Y: int(height(share)), Text: withUnit(top*share, chart.Unit)})
	}
	if count := len(chart.Times); count > 0 {
		first, last := chart.Times[0], chart.Times[count-1]
		for i, at := range []time.Time{first, first.Add(last.Sub(first) / 2), last} {
			if i > 0 && last.Equal(first) {
				break
			}
			d.Moments = append(d.Moments, label{X: plotLeft + i*(plotRight-plotLeft)/2, Y: chartHeight - 6, Text: at.UTC().Format("15:04")})
		}
	}
	var says []string
	for i, line := range chart.Lines {
		d.Lines = append(d.Lines, path{Name: line.Name, Number: i, Pieces: pieces(chart.Times, line.Values, top)})
		says = append(says, line.Name+": "+inWords(line.Values, chart.Unit))
	}
	d.Summary = strings.Join(says, "; ") + "."
	for i, at := range coarse.Times {
		values := make([]string, 0, len(coarse.Lines))
		for _, line := range coarse.Lines {
			values = append(values, withUnit(line.Values[i], coarse.Unit))
		}
		d.Rows = append(d.Rows, row{At: at, Values: values})
	}
	return d
}

// pieces are the points of a line, as SVG wants them. A point alone is there twice, so that it can be seen.
func pieces(times []time.Time, values []float64, top float64) (all []string) {
	var points []string
	end := func() {
		if len(points) == 1 {
			points = append(points, points[0])
		}
		if len(points) > 0 {
			all = append(all, strings.Join(points, " "))
		}
		points = nil
	}
	for i, value := range values {
		if math.IsNaN(value) {
			end()
			continue
		}
		share := 1.0
		if span := times[len(times)-1].Sub(times[0]); span > 0 {
			share = float64(times[i].Sub(times[0])) / float64(span)
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", plotLeft+share*(plotRight-plotLeft), height(value/top)))
	}
	end()
	return all
}

func height(share float64) float64 { return plotBottom - share*(plotBottom-plotTop) }

// round is the next number up that is 1, 2 or 5 times a power of ten; 1 for nothing.
func round(value float64) float64 {
	if value <= 0 || math.IsInf(value, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, times := range []float64{1, 2, 5} {
		if value <= times*power {
			return times * power
		}
	}
	return 10 * power
}

func number(value float64) string {
	if value >= 1000 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}

func withUnit(value float64, unit string) string {
	if math.IsNaN(value) {
		return "–"
	}
	return strings.TrimSpace(number(value) + " " + unit)
}

// inWords is for those who do not see the line.
func inWords(values []float64, unit string) string {
	last, most := math.NaN(), math.NaN()
	for _, value := range values {
		if math.IsNaN(value) {
			continue
		}
		last = value
		if !(value <= most) {
			most = value
		}
	}
	if math.IsNaN(last) {
		return "nothing yet"
	}
	return withUnit(last, unit) + " last, " + withUnit(most, unit) + " at most"
}

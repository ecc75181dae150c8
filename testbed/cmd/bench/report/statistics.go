package report

import (
	"slices"
	"time"
)

// Median returns the middle of at least one number.
func Median(numbers []float64) float64 { return Percentile(numbers, 50) }

// Percentile returns the smallest of at least one number that the percentage of all do not exceed.
func Percentile(numbers []float64, percentage int) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	return sorted[max(0, (len(sorted)*percentage+99)/100-1)]
}

// Milliseconds converts durations.
func Milliseconds(durations []time.Duration) []float64 {
	converted := make([]float64, len(durations))
	for i, duration := range durations {
		converted[i] = duration.Seconds() * 1000
	}
	return converted
}

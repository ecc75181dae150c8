package bridge

import (
	"math"
	"time"

	"postern/bridge/adminpage"
	"postern/bridge/metrics"
)

// Charts implements adminpage.Bridge.
func (p *pageData) Charts(points int) []adminpage.Chart {
	samples := p.history.Samples(points)
	times := make([]time.Time, 0, len(samples))
	for _, sample := range samples {
		times = append(times, sample.To)
	}
	line := func(name string, value func(metrics.Sample) float64) adminpage.Line {
		line := adminpage.Line{Name: name}
		for _, sample := range samples {
			line.Values = append(line.Values, value(sample))
		}
		return line
	}
	rate := func(messages int, sample metrics.Sample) float64 {
		return float64(messages) / max(sample.To.Sub(sample.From), time.Second).Minutes()
	}
	delays := func(flow func(metrics.Sample) metrics.Flow) []adminpage.Line {
		return []adminpage.Line{
			line("half of them", func(s metrics.Sample) float64 { return delay(flow(s), .5) }),
			line("95 of 100", func(s metrics.Sample) float64 { return delay(flow(s), .95) }),
		}
	}
	return []adminpage.Chart{
		{ID: "messages", Title: "Messages a minute", Times: times, Lines: []adminpage.Line{
			line("to Matrix", func(s metrics.Sample) float64 { return rate(s.ToMatrix.Messages, s) }),
			line("to contacts", func(s metrics.Sample) float64 { return rate(s.ToContact.Messages, s) }),
		}},
		{ID: "connected", Title: "Connected users", Times: times, Lines: []adminpage.Line{
			line("users", func(s metrics.Sample) float64 { return float64(s.Connected) }),
		}},
		{ID: "to-matrix", Title: "Delay to Matrix", Unit: "s", Times: times, Lines: delays(func(s metrics.Sample) metrics.Flow { return s.ToMatrix })},
		{ID: "to-contacts", Title: "Delay to contacts", Unit: "s", Times: times, Lines: delays(func(s metrics.Sample) metrics.Flow { return s.ToContact })},
		{ID: "waiting", Title: "Messages that wait", Times: times, Lines: []adminpage.Line{
			line("to contacts", func(s metrics.Sample) float64 { return float64(s.Outbox) }),
			line("to Matrix", func(s metrics.Sample) float64 { return float64(s.Inbox) }),
		}},
	}
}

// delay is in seconds, NaN without messages.
func delay(flow metrics.Flow, share float64) float64 {
	took, ok := flow.Delay(share)
	if !ok {
		return math.NaN()
	}
	return took.Seconds()
}

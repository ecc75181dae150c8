// Package metrics counts what the daemon does, for Prometheus. It is told by the parts that do it, and asks for what can only be looked
// up when Prometheus scrapes:
//
//	m := metrics.New(metrics.Options{Version: "1.0", Gatekeepers: []string{"whatsapp"}, Kinds: interop.Kinds})
//	m.ToMatrix("whatsapp", "text", metrics.Delivered, took)
//	http.Handle("/metrics", m.Handler())
//
// No label names a person, a room or a message: labels are gatekeepers of the config and words of this package. What is none of
// them is counted as "other", so that nobody outside can make new series. All methods are safe for concurrent use, and do nothing
// on a nil *Metrics.
package metrics

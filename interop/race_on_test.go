//go:build race

package interop_test

// loadCount is how many messages go each way in the load tests. The race detector makes them ten times slower.
const loadCount = 1500

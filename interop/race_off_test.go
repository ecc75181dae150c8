//go:build !race

package interop_test

// loadCount is how many messages go each way in the load tests.
const loadCount = 10000

package database_test

import (
	"os"
	"testing"
)

// TestMain stops what tests share.
func TestMain(m *testing.M) {
	code := m.Run()
	if started != nil {
		started.stop()
	}
	os.Exit(code)
}

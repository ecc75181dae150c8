package database_test

import (
	"os"
	"testing"

	"postern/database/pgtest"
)

// TestMain runs the tests, or a child of one, and stops what tests share.
func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(runChild(mode, os.Getenv(childPath)))
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

package connector_test

import (
	"os"
	"testing"

	"postern/database/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

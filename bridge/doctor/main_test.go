package doctor_test

import (
	"io"
	"log"
	"os"
	"testing"

	"postern/database/pgtest"
)

// quiet is for servers whose clients break connections off, as they are meant to.
var quiet = log.New(io.Discard, "", 0)

func TestMain(m *testing.M) {
	code := reportSites(m.Run())
	pgtest.Stop()
	if dir, err := template(); err == nil {
		_ = os.RemoveAll(dir)
	}
	if programDir != "" {
		_ = os.RemoveAll(programDir)
	}
	os.Exit(code)
}

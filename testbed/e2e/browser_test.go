package e2e_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"postern/testbed/browser"
)

// chromium is one browser for all tests that look at pages.
var chromium sharedBrowser

type sharedBrowser struct {
	once    sync.Once
	browser *browser.Browser
	err     error
}

// close ends the browser, if there is one.
func (s *sharedBrowser) close() {
	if s.browser != nil {
		s.browser.Close()
	}
}

// inBrowser opens a page. Without a browser the test fails in CI, and says elsewhere that it did not run.
func inBrowser(t *testing.T, ctx context.Context, url string, view browser.View) *browser.Tab {
	t.Helper()
	chromium.once.Do(func() { chromium.browser, chromium.err = browser.Start(context.Background()) })
	switch {
	case errors.Is(chromium.err, browser.ErrMissing) && os.Getenv("CI") != "true":
		t.Skip("!!! NOT RUN: ", chromium.err)
	case chromium.err != nil:
		t.Fatal(chromium.err)
	}
	tab, err := chromium.browser.Open(ctx, url, view)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range tab.Problems() {
			t.Error("the browser complains: ", problem)
		}
		tab.Close()
	})
	return tab
}

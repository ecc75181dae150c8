package browser

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/chromedp/chromedp"
)

// ErrMissing is returned where there is no Chromium.
var ErrMissing = errors.New("chromium is missing (Debian package: chromium)")

// names are what distributions call it.
var names = []string{"chromium", "chromium-browser", "google-chrome"}

// Browser is a process. Its methods are safe for concurrent use.
type Browser struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// Start runs a browser with an empty profile. It asks nobody outside for anything by itself.
func Start(ctx context.Context) (*Browser, error) {
	path := ""
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, ErrMissing
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.NoSandbox, // its sandbox refuses to run as root; it only sees pages of this machine
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("lang", "en"),
	}
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(ctx), options...)
	running, cancel := chromedp.NewContext(allocator)
	b := &Browser{ctx: running, cancel: func() { cancel(); stop() }}
	if err := chromedp.Do(running); err != nil {
		b.Close()
		return nil, fmt.Errorf("failed to start %s: %w", path, err)
	}
	return b, nil
}

// Close ends the browser with all its tabs.
func (b *Browser) Close() { b.cancel() }

// View is what somebody sees a page on.
type View struct {
	Width, Height int64 // in CSS pixels
	// Scale is how many pixels of the screen one of those is; 0 is one.
	Scale float64
	Dark  bool
	// Still is for people who do not want things to move.
	Still bool
	// NoScript is for those who have JavaScript switched off. Use [Tab.Follow] and [Tab.Go] then: what waits for changes needs it.
	NoScript bool
}

// Open loads a page in a tab of its own, with cookies and connections of its own.
func (b *Browser) Open(ctx context.Context, url string, view View) (*Tab, error) {
	running, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	tab := &Tab{ctx: running, cancel: cancel}
	err := tab.prepare(view)
	if err == nil {
		err = tab.run(ctx, func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.Navigate(url)) })
	}
	if err != nil {
		tab.Close()
		return nil, fmt.Errorf("failed to open %s: %w", url, err)
	}
	return tab, nil
}

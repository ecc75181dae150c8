package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// explainTimeout bounds looking at a page in which something failed.
const explainTimeout = 5 * time.Second

// refusedForm is in the complaint about status 422, with which a page answers a form that is filled in wrong: no mistake of the page.
const refusedForm = "status of 422"

// Tab shows a page. Selectors are those of CSS and mean the first match that there is.
type Tab struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	problems []string
}

// Close closes the tab.
func (t *Tab) Close() { t.cancel() }

// prepare opens the tab and makes it look at pages as the view says.
func (t *Tab) prepare(view View) error {
	if err := chromedp.Do(t.ctx); err != nil { // without a time limit, which would be the tab's
		return err
	}
	if err := t.watch(); err != nil {
		return err
	}
	scheme, motion := "light", "no-preference"
	if view.Dark {
		scheme = "dark"
	}
	if view.Still {
		motion = "reduce"
	}
	size := emulation.SetDeviceMetricsOverrideParams{Width: view.Width, Height: view.Height, DeviceScaleFactor: max(view.Scale, 1)}
	if _, err := chromedp.Call(t.ctx, emulation.SetDeviceMetricsOverride, size); err != nil {
		return err
	}
	if _, err := chromedp.Call(t.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: view.NoScript}); err != nil {
		return err
	}
	_, err := chromedp.Call(t.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
	}})
	return err
}

// run calls a function with the tab's context, which ends with ctx, too.
func (t *Tab) run(ctx context.Context, fn func(context.Context) error) error {
	both, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(ctx.Err()) })()
	err := fn(both)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// watch collects what the browser complains about: errors of scripts, and what the page's own policy forbids.
func (t *Tab) watch() error {
	return chromedp.Listen(t.ctx, func(event any) {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			t.problems = append(t.problems, event.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if event.Entry.Level == "error" && !strings.Contains(event.Entry.Text, refusedForm) {
				t.problems = append(t.problems, event.Entry.Text)
			}
		}
	})
}

// Problems returns what the browser complained about so far.
func (t *Tab) Problems() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.problems...)
}

// do names what was tried in an error, and shows the page's text.
func (t *Tab) do(ctx context.Context, what string, action chromedp.Action[chromedp.Void]) error {
	err := t.run(ctx, func(ctx context.Context) error { return chromedp.Do(ctx, action) })
	return t.explain(what, err)
}

func (t *Tab) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, explainTimeout)
	defer cancel()
	shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	return fmt.Errorf("%s: %w; the page shows:\n%s", what, err, shown)
}

// Click clicks on an element as soon as it can be seen.
func (t *Tab) Click(ctx context.Context, selector string) error {
	return t.do(ctx, "click on "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Follow clicks on what leads to another page, and waits until that is loaded.
func (t *Tab) Follow(ctx context.Context, selector string) error {
	err := t.run(ctx, func(ctx context.Context) error {
		_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
		return err
	})
	return t.explain("follow "+selector, err)
}

// Type types a text into a field, key by key. A newline is the Enter key.
func (t *Tab) Type(ctx context.Context, selector, text string) error {
	keys := strings.ReplaceAll(text, "\n", "\r")
	return t.do(ctx, "type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), keys, chromedp.NodeVisible))
}

// Press presses keys wherever the focus is. Package kb of chromedp has those without a letter.
func (t *Tab) Press(ctx context.Context, keys string) error {
	return t.do(ctx, "press a key", chromedp.KeyEvent(keys))
}

// Pick chooses a file.
func (t *Tab) Pick(ctx context.Context, selector, path string) error {
	return t.do(ctx, "pick a file", chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

// Wait waits until an element can be seen.
func (t *Tab) Wait(ctx context.Context, selector string) error {
	return t.do(ctx, "wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// WaitText waits until one of the elements contains the words.
func (t *Tab) WaitText(ctx context.Context, selector, words string) error {
	return t.WaitFor(ctx, fmt.Sprintf(`[...document.querySelectorAll(%q)].some((e) => e.textContent.includes(%q))`, selector, words))
}

// WaitFor waits until an expression of JavaScript is true, which is looked at whenever the page changes. A page that loads
// meanwhile is waited for, too.
func (t *Tab) WaitFor(ctx context.Context, expression string) error {
	watching := fmt.Sprintf(`new Promise((resolve) => {
		const done = () => (%s) && (observer.disconnect(), resolve(true));
		const observer = new MutationObserver(done);
		observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
		addEventListener("load", done, true);
		done();
	})`, expression)
	err := t.run(ctx, func(ctx context.Context) error {
		for {
			_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](watching, chromedp.EvalAwaitPromise))
			var thrown *chromedp.ExceptionError
			if err == nil || errors.As(err, &thrown) || ctx.Err() != nil {
				return err
			}
			if err = chromedp.Do(ctx, chromedp.WaitReady(chromedp.CSS("body"))); err != nil { // another page came
				return err
			}
		}
	})
	return t.explain("wait for "+expression, err)
}

// Evaluate returns what an expression of JavaScript is.
func Evaluate[T any](ctx context.Context, t *Tab, expression string) (result T, err error) {
	err = t.run(ctx, func(ctx context.Context) error {
		result, err = chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
		return err
	})
	return result, t.explain("evaluate "+expression, err)
}

// Go loads another page.
func (t *Tab) Go(ctx context.Context, url string) error {
	return t.do(ctx, "go to "+url, chromedp.Navigate(url))
}

// Screenshot returns what can be seen as a PNG.
func (t *Tab) Screenshot(ctx context.Context) (picture []byte, err error) {
	err = t.run(ctx, func(ctx context.Context) error {
		picture, err = chromedp.Run(ctx, chromedp.CaptureScreenshot())
		return err
	})
	return picture, t.explain("take a screenshot", err)
}

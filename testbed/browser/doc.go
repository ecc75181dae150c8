// Package browser drives Chromium without a window, as somebody in front of it would: it looks at pages, clicks, types and picks
// files.
//
//	b, err := browser.Start(ctx)
//	defer b.Close()
//	tab, err := b.Open(ctx, url, browser.View{Width: 400, Height: 800})
//	err = tab.Type(ctx, "#text", "hello")
package browser

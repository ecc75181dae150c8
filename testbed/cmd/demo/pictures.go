package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"os"
	"path/filepath"

	"postern/testbed/browser"
)

// takePictures writes what the README shows: Bob's phone on a large screen by day, and on a small one by night, and the admin page.
func (s *scene) takePictures(ctx context.Context, dir string) error {
	b, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	if err = s.talkOnPhone(ctx, b); err != nil {
		return err
	}
	for name, picture := range map[string]struct {
		path string
		view browser.View
	}{
		"phone-wide":     {s.phoneChat(), browser.View{Width: 1060, Height: 700, Still: true}},
		"phone-night":    {s.phoneChat(), browser.View{Width: 390, Height: 700, Dark: true, Still: true}},
		"phone-settings": {s.phone + "/settings", browser.View{Width: 390, Height: 700, Still: true}},
	} {
		if err = takePicture(ctx, b, picture.path, picture.view, filepath.Join(dir, name+".png")); err != nil {
			return err
		}
	}
	return s.takeAdminPictures(ctx, b, dir)
}

// talkOnPhone lets Bob write on his phone, so that a chat has something of every kind.
func (s *scene) talkOnPhone(ctx context.Context, b *browser.Browser) error {
	tab, err := b.Open(ctx, s.phoneChat(), browser.View{Width: 1060, Height: 700})
	if err != nil {
		return err
	}
	defer tab.Close()
	if err = tab.Type(ctx, "#text", "I wrote this one in a browser. It is *encrypted* all the same.\n"); err != nil {
		return err
	}
	received, err := s.alice.WaitMessage(ctx, s.chat, "", "I wrote this one")
	if err != nil {
		return err
	}
	if err = s.alice.MarkRead(ctx, s.chat, received.ID); err != nil {
		return err
	}
	if _, err = s.alice.React(ctx, s.chat, received.ID, "🎉"); err != nil {
		return err
	}
	if err = tab.WaitFor(ctx, `document.querySelector(".message:last-child .tick-read") && document.querySelector(".message:last-child .reactions")`); err != nil {
		return err
	}
	return s.alice.Typing(ctx, s.chat, true)
}

func takePicture(ctx context.Context, b *browser.Browser, address string, view browser.View, path string) error {
	tab, err := b.Open(ctx, address, view)
	if err != nil {
		return err
	}
	defer tab.Close()
	return keepPicture(ctx, tab, path)
}

// keepPicture writes what can be seen, once all of it is there.
func keepPicture(ctx context.Context, tab *browser.Tab, path string) error {
	err := tab.WaitFor(ctx, `[...document.images].every((i) => i.complete) && document.fonts.status === "loaded"`)
	if err != nil {
		return err
	}
	shot, err := tab.Screenshot(ctx)
	if err != nil {
		return err
	}
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return fmt.Errorf("failed to read a screenshot: %w", err)
	}
	var small bytes.Buffer
	if err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, picture); err != nil {
		return fmt.Errorf("failed to write a screenshot: %w", err)
	}
	return os.WriteFile(path, small.Bytes(), 0o644)
}

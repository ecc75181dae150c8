package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"postern/testbed/browser"
)

const (
	// chartTime is how long Alice and Bob go on to write, so that the charts of the admin page have something to show.
	chartTime = 3 * time.Minute
	// chatterPause is the least time between two messages of that.
	chatterPause = 700 * time.Millisecond
)

// takeAdminPictures writes what the documents show of the admin page: the overview by day, and Alice on a small screen by night.
func (s *scene) takeAdminPictures(ctx context.Context, b *browser.Browser, dir string) error {
	s.view.title("Alice and Bob write for some minutes, for the charts of the admin page")
	if err := s.chatter(ctx); err != nil {
		return err
	}
	for name, picture := range map[string]struct {
		path string
		view browser.View
	}{
		"admin-overview": {"/", browser.View{Width: 1060, Height: 1150, Still: true}},
		"admin-night":    {"/user?id=" + s.alice.ID().String(), browser.View{Width: 390, Height: 700, Dark: true, Still: true}},
	} {
		tab, err := s.openAdminPage(ctx, b, picture.path, picture.view)
		if err != nil {
			return err
		}
		err = keepPicture(ctx, tab, filepath.Join(dir, name+".png"))
		tab.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// openAdminPage logs in with a link of the command line.
func (s *scene) openAdminPage(ctx context.Context, b *browser.Browser, path string, view browser.View) (*browser.Tab, error) {
	link, err := s.stack.Bridge.Run(ctx, "admin", "page")
	if err != nil {
		return nil, fmt.Errorf("failed to get a link to the admin page: %w: %s", err, link)
	}
	tab, err := b.Open(ctx, strings.TrimSpace(link), view)
	if err != nil {
		return nil, err
	}
	if err = tab.Click(ctx, ".primary"); err == nil {
		err = tab.WaitText(ctx, "h1", "Overview")
	}
	if err == nil {
		err = tab.Go(ctx, s.stack.Bridge.AdminURL()+path)
	}
	if err != nil {
		tab.Close()
		return nil, err
	}
	return tab, nil
}

// chatter lets both write, more and less often by turns.
func (s *scene) chatter(ctx context.Context) error {
	for begin, i := time.Now(), 0; time.Since(begin) < chartTime; i++ {
		words := fmt.Sprintf("And another one, number %d.", i)
		if _, err := s.alice.SendText(ctx, s.chat, words); err != nil {
			return err
		}
		if _, err := s.bob.Device().WaitMessage(ctx, words); err != nil {
			return err
		}
		if i%3 > 0 {
			answer := fmt.Sprintf("Got number %d.", i)
			if _, err := s.bob.Device().SendText(ctx, s.alice.Address, answer); err != nil {
				return err
			}
			if _, err := s.alice.WaitMessage(ctx, s.chat, "", answer); err != nil {
				return err
			}
		}
		select {
		case <-time.After(chatterPause * time.Duration(1+i/8%4)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

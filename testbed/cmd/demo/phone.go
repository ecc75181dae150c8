package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

const (
	// maxPage bounds what is read of the phone's page, in bytes.
	maxPage = 1 << 20
	// phoneTimeout is how long the last message may take to the phone.
	phoneTimeout = 20 * time.Second
)

var errNotShown = errors.New("the phone page does not show the conversation")

// phoneChat is the address of Bob's chat with Alice on his phone in the browser.
func (s *scene) phoneChat() string { return s.phone + "/chats/" + s.alice.Address.User }

// onPhone is what has to be on Bob's phone in the browser after the conversation.
func (s *scene) onPhone() []string {
	return []string{
		"Hello Bob! I am on Matrix", s.alice.ID().String(), "/file", "❤️", "castle.txt", "That one belongs to your picture.", "You deleted this message",
	}
}

// lookAtPhone checks that Bob's phone in the browser, a device of his with keys of its own, has the conversation, too.
func (s *scene) lookAtPhone(ctx context.Context) error {
	s.view.title("Bob's phone in the browser has it all, too")
	ctx, cancel := context.WithTimeout(ctx, phoneTimeout)
	defer cancel()
	events, err := open(ctx, s.phone+"/events")
	if err != nil {
		return err
	}
	defer events.Close()
	missing := ""
	for lines := bufio.NewScanner(events); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "data:") {
			continue
		}
		if missing, err = s.missingOnPhone(ctx); err != nil {
			return err
		} else if missing == "" {
			s.view.print("", "      "+s.view.paint(s.phoneChat(), bold))
			return nil
		}
	}
	return fmt.Errorf("%w: %q is missing at %s", errNotShown, missing, s.phoneChat())
}

// missingOnPhone returns the first words that the page does not show, "" if it shows all.
func (s *scene) missingOnPhone(ctx context.Context) (string, error) {
	page, err := open(ctx, s.phoneChat())
	if err != nil {
		return "", err
	}
	defer page.Close()
	content, err := io.ReadAll(io.LimitReader(page, maxPage))
	if err != nil {
		return "", fmt.Errorf("failed to look at the phone: %w", err)
	}
	text := html.UnescapeString(string(content))
	for _, words := range s.onPhone() {
		if !strings.Contains(text, words) {
			return words, nil
		}
	}
	return "", nil
}

func open(ctx context.Context, address string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to look at the phone: %w", err)
	}
	return response.Body, nil
}

// openBrowser shows the address if somebody sits before a desktop. If that fails they can still click on it.
func openBrowser(ctx context.Context, address string) {
	opener := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		opener = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return
	}
	command := exec.CommandContext(ctx, opener, address)
	if command.Start() == nil {
		go command.Wait() // it ends at once, having told a browser
	}
}

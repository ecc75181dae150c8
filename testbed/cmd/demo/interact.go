package main

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
)

// interact keeps everything up until ctx ends: the person at the terminal is Bob, here or on his phone in the browser, and may be
// Alice in Element.
func (s *scene) interact(ctx context.Context, input io.Reader) error {
	s.view.title("Your turn")
	s.view.note("Log in as Alice with Element (Desktop, or the web version on this machine):")
	s.view.print("",
		"      homeserver  "+s.view.paint(s.stack.Homeserver.URL(), bold),
		"      user        "+s.view.paint(s.alice.ID().Localpart(), bold),
		"      password    "+s.view.paint(s.alice.Account().Password, bold),
		"")
	s.view.note("Bob's phone, where you can answer her, send pictures, block, or turn third-party chats off:")
	s.view.print("", "      "+s.view.paint(s.phoneChat(), bold), "")
	openBrowser(ctx, s.phoneChat())
	s.view.note("Or type here to write as Bob, with the Enter key at the end of each message. Ctrl-C ends everything.")

	lines := make(chan string)
	// Reading from a terminal cannot be interrupted, so this goroutine ends with the input or with the program.
	go readLines(input, lines)
	arrivals := make(chan string)
	watchCtx, stop := context.WithCancel(ctx)
	defer stop()
	go s.watchBob(watchCtx, arrivals)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case arrived := <-arrivals:
			s.view.right("Bob receives", arrived)
		case line, open := <-lines:
			if !open {
				lines = nil // the input ended; stay up until Ctrl-C
				continue
			}
			if line == "" {
				continue
			}
			if err := s.bobTypes(ctx, line); err != nil {
				return err
			}
		}
	}
}

// bobTypes sends the line and shows how it arrives.
func (s *scene) bobTypes(ctx context.Context, line string) error {
	mark := s.alice.Mark()
	sent, err := s.bob.Device().SendText(ctx, s.alice.Address, line)
	if err != nil {
		return err
	}
	seen, err := s.atGatekeeper(ctx, sent)
	if err != nil {
		return err
	}
	s.view.right("Bob", line, seen)
	fromBob := func(evt *event.Event) bool {
		return matrixuser.MessageIn(s.chat, "", "")(evt) && evt.Sender != s.alice.ID() && evt.Sender != s.stack.Bot()
	}
	received, err := s.alice.WaitAfter(ctx, mark, "Bob's message", fromBob)
	if err != nil {
		return err
	}
	stored, err := s.onHomeserver(ctx, received.RoomID, received.ID)
	if err != nil {
		return err
	}
	s.view.left("Alice receives", received.Content.AsMessage().Body, stored)
	return nil
}

// watchBob reports what Bob receives from now on, until ctx ends.
func (s *scene) watchBob(ctx context.Context, arrivals chan<- string) {
	mark := s.bob.Device().Mark()
	for {
		message, next, err := s.bob.Device().NextMessage(ctx, mark)
		if err != nil {
			return
		}
		mark = next
		select {
		case arrivals <- text(message):
		case <-ctx.Done():
			return
		}
	}
}

func readLines(input io.Reader, lines chan<- string) {
	defer close(lines)
	scanner := bufio.NewScanner(input)
	for scanner.Scan() {
		lines <- scanner.Text()
	}
	if err := scanner.Err(); err != nil {
		fmt.Println("The input ended:", err)
	}
}

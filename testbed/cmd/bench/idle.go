package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"postern/testbed/cmd/bench/peer"
)

const (
	// idleCommand makes the program connect accounts and do nothing else, so that a process without a bridge can be
	// measured. It is not for people.
	idleCommand = "idle"
	// loginsAtOnce is the bridge's default.
	loginsAtOnce = 64
)

var errUsage = errors.New("usage: bench idle FILE")

// idle connects the logins in a file and waits until it is interrupted.
func idle(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	channels, err := connectAll(ctx, args[0])
	if err == nil {
		<-ctx.Done()
	}
	for _, channel := range channels {
		if channel != nil {
			channel.Close()
		}
	}
	return err
}

// connectAll returns the channels that could be connected, also if others could not. Nothing of the file stays in memory.
func connectAll(ctx context.Context, file string) ([]*peer.Channel, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("failed to read the logins: %w", err)
	}
	var logins []peer.Login
	if err = json.Unmarshal(content, &logins); err != nil {
		return nil, fmt.Errorf("failed to parse the logins: %w", err)
	}
	channels := make([]*peer.Channel, len(logins))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loginsAtOnce)
	for i, login := range logins {
		group.Go(func() error {
			channel, err := peer.Connect(ctx, login, nil)
			if err == nil {
				channels[i] = channel
				err = channel.Activate(ctx)
			}
			return err
		})
	}
	return channels, group.Wait()
}

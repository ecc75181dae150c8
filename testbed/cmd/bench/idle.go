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
	content, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("failed to read the logins: %w", err)
	}
	var logins []peer.Login
	if err = json.Unmarshal(content, &logins); err != nil {
		return fmt.Errorf("failed to parse the logins: %w", err)
	}
	channels := make([]*peer.Channel, len(logins))
	defer func() {
		for _, channel := range channels {
			if channel != nil {
				channel.Close()
			}
		}
	}()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(loginsAtOnce)
	for i, login := range logins {
		group.Go(func() error {
			channel, err := peer.Connect(groupCtx, login, nil)
			if err == nil {
				channels[i] = channel
				err = channel.Activate(groupCtx)
			}
			return err
		})
	}
	if err = group.Wait(); err != nil {
		return err
	}
	content, logins = nil, nil
	<-ctx.Done()
	return nil
}

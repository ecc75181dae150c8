package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"postern/testbed/cmd/bench/peer"
	"postern/testbed/process"
)

const (
	// connectTimeout bounds the wait until everybody is connected.
	connectTimeout = 2 * time.Minute
	// bareStopTimeout is how long a process of bare connections may take to end.
	bareStopTimeout = 10 * time.Second
)

// bare is what connections need without a bridge: a process that only keeps them, and one that keeps none.
type bare struct {
	lone              *lone
	everybody, nobody *process.Process
	// took is the time from the start of the process until all were connected.
	took time.Duration
}

// startBare enlists accounts and connects them from a process of their own.
func (b *bench) startBare(ctx context.Context, users int) (result *bare, err error) {
	l, err := b.startLone(ctx)
	if err != nil {
		return nil, err
	}
	result = &bare{lone: l}
	defer func() {
		if err != nil {
			err = errors.Join(err, result.close())
		}
	}()
	logins := make([]peer.Login, users)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(enlistedAtOnce)
	for i := range users {
		group.Go(func() error {
			account, _, err := l.partner.Enlist(groupCtx, l.gatekeeper, fmt.Sprintf("bare-%d", i))
			if err == nil {
				logins[i], err = l.partner.Login(groupCtx, l.gatekeeper, account)
			}
			return err
		})
	}
	if err = group.Wait(); err != nil {
		return nil, err
	}
	if result.nobody, err = l.startIdle("nobody", nil); err != nil {
		return nil, err
	}
	start := time.Now()
	if result.everybody, err = l.startIdle("everybody", logins); err != nil {
		return nil, err
	}
	err = waitConnected(ctx, l.sandbox, users)
	result.took = time.Since(start)
	return result, err
}

// startIdle runs this program again, with nothing to do but to keep the connections.
func (l *lone) startIdle(name string, logins []peer.Login) (*process.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("failed to find the benchmark's own program: %w", err)
	}
	content, err := json.Marshal(logins)
	if err != nil {
		return nil, fmt.Errorf("failed to encode the logins: %w", err)
	}
	file := filepath.Join(l.dir, name+".json")
	if err = os.WriteFile(file, content, 0o600); err != nil {
		return nil, fmt.Errorf("failed to write the logins: %w", err)
	}
	return process.Start(process.Options{
		Name: "bench " + idleCommand, Path: program, Args: []string{idleCommand, file}, LogFile: filepath.Join(l.dir, name+".log"),
	})
}

// bytesEach is how much memory one connection takes.
func (r *bare) bytesEach(users int) (float64, error) {
	full, err := r.everybody.ResidentBytes()
	if err != nil {
		return 0, err
	}
	empty, err := r.nobody.ResidentBytes()
	return float64(full-empty) / float64(users), err
}

func (r *bare) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), bareStopTimeout)
	defer cancel()
	var problems []error
	for _, process := range []*process.Process{r.everybody, r.nobody} {
		if process != nil {
			problems = append(problems, process.Stop(ctx))
		}
	}
	return errors.Join(append(problems, r.lone.close())...)
}

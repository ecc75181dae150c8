package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrRunning is returned by Start for a service that runs already.
var ErrRunning = errors.New("service is running")

// Service is a program that can be stopped and started again. The zero value is one that does not run. Its methods are
// safe for concurrent use.
type Service struct {
	lock    sync.Mutex
	process *Process // nil while it does not run
}

// Start runs the program and returns when the check passes. If it does not within the limit, the program is killed.
func (s *Service) Start(ctx context.Context, options Options, ready Check, limit time.Duration) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.process != nil {
		return fmt.Errorf("%w: %s", ErrRunning, options.Name)
	}
	started, err := Start(options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err = started.WaitReady(ctx, ready); err != nil {
		started.Kill()
		return err
	}
	s.process = started
	return nil
}

// Stop asks the program to end and waits, by force when ctx ends. Stopping a stopped service does nothing.
func (s *Service) Stop(ctx context.Context) error {
	if running := s.take(); running != nil {
		return running.Stop(ctx)
	}
	return nil
}

// Kill ends the program with SIGKILL, in the middle of whatever it does. Killing a stopped service does nothing.
func (s *Service) Kill() {
	if running := s.take(); running != nil {
		running.Kill()
	}
}

// Halt makes a running program stand still until Continue, see [Process.Halt].
func (s *Service) Halt() {
	_, _ = ask(s, func(running *Process) (any, error) { running.Halt(); return nil, nil })
}

// Continue ends Halt.
func (s *Service) Continue() {
	_, _ = ask(s, func(running *Process) (any, error) { running.Continue(); return nil, nil })
}

// ask returns what a question to the running program answers, and the zero value if it does not run.
func ask[Answer any](s *Service, question func(*Process) (Answer, error)) (answer Answer, err error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.process == nil {
		return answer, nil
	}
	return question(s.process)
}

func (s *Service) take() *Process {
	s.lock.Lock()
	defer s.lock.Unlock()
	taken := s.process
	s.process = nil
	return taken
}

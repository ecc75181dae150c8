package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"postern/testbed/cmd/bench/report"
	"postern/testbed/homeserver"
	"postern/testbed/programs"
	"postern/testbed/stack"
)

const (
	// measureTimeout bounds one measurement with everything that it has to start and to prepare.
	measureTimeout = 15 * time.Minute
	// quickly is what -quick divides numbers of messages and users by.
	quickly = 10

	// chats is how many conversations run side by side, with messages and in the baselines.
	chats = 8
	// firstPhone is the first contact's number, where a stack does not choose it.
	firstPhone = 4915112340000
)

var errFailed = errors.New("a measurement failed")

// measurement is what -only chooses.
type measurement struct {
	name, about string
	run         func(ctx context.Context, b *bench) ([]report.Figure, error)
}

// bench is what all measurements share. Each starts what it needs and ends it.
type bench struct {
	builder *programs.Builder
	kind    homeserver.Kind
	quick   bool
	began   time.Time
}

func (b *bench) measure(ctx context.Context, m measurement, into *report.Report) error {
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	b.progress("%s: %s", m.name, m.about)
	figures, err := m.run(ctx, b)
	if err == nil {
		err = into.Add(figures...)
	}
	if err != nil {
		b.progress("%s: failed: %v", m.name, err)
	}
	return err
}

// progress tells what is being done, and when.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stdout, "%5.0f s  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// scaled is a number of messages or users, or less of them for a quick run.
func (b *bench) scaled(number int) int {
	if b.quick {
		return max(1, number/quickly)
	}
	return number
}

// startStack runs a whole installation. The bridge logs as little as a busy one would.
func (b *bench) startStack(ctx context.Context) (*stack.Stack, error) {
	return stack.Start(ctx, stack.Options{
		Homeserver: b.kind, Builder: b.builder, LogLevel: "warn",
		Progress: func(step string) { b.progress("  %s", step) },
	})
}

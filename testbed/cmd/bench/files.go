package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"postern/testbed/cmd/bench/report"
	"postern/testbed/stack"
)

const (
	fileMiB = 100
	// smallMiB is the file that sessions are set up and caches filled with.
	smallMiB = 1
	// fileRounds carry the file each way, in turns with the baseline; the medians count, and the largest growth.
	fileRounds   = 5
	timeTarget   = 1.5
	growthTarget = 16 // MiB
)

// measureFiles carries a file each way. The clock runs from before the sender's client sends the message until the
// receiver's client has decrypted it. By then a file from WhatsApp is on the homeserver, and a file from Matrix on the disk
// of the bridge, which serves the gatekeeper from there: where curl has it, too. But the bridge does more: it decrypts,
// encrypts and checks hashes, and does not leave a file to be written by the system later.
func measureFiles(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	if _, err = findCurl(); err != nil { // before everything is built
		return nil, err
	}
	s, err := b.startStack(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	alice, err := newEnlisted(ctx, s, "alice")
	if err != nil {
		return nil, err
	}
	chat, err := newFileChat(ctx, s, alice, "Bob")
	if err != nil {
		return nil, err
	}
	size := b.scaled(fileMiB)
	file, err := newPayload(int64(size) << 20)
	if err != nil {
		return nil, err
	}
	in, out, err := chat.transfers(ctx, file)
	if err != nil {
		return nil, err
	}
	search, err := newPlainSearch(s, file)
	if err != nil {
		return nil, err
	}
	b.progress("  looking for plain parts of the file on the disk while it is carried")
	for _, t := range []*transfer{in, out} {
		if err = search.watch(ctx, t); err != nil {
			return nil, err
		}
	}
	carried, err := b.carryFiles(ctx, chat, size, in, out)
	if err != nil {
		return nil, err
	}
	b.progress("  looking for plain parts of the file on the disk")
	if err = search.look("bridge", "homeserver", "gatekeeper"); err != nil {
		return nil, err
	}
	for _, finding := range search.findings {
		b.progress("  found %s", finding)
	}
	for _, c := range carried {
		figures = append(figures, c.figures()...)
	}
	return append(figures, search.figure()), nil
}

// carryFiles starts the bridge again, which must not have the memory of larger files than the small one, and does the rounds.
func (b *bench) carryFiles(ctx context.Context, chat *fileChat, size int, ways ...*transfer) (carried []*carriage, err error) {
	curl, err := findCurl()
	if err != nil {
		return nil, err
	}
	// In the folder of the bridge, to be on the same disk.
	dir := filepath.Join(chat.stack.Dir("bridge"), "curl")
	if err = os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make a folder for curl: %w", err)
	}
	if err = restartBridge(ctx, chat.stack); err != nil {
		return nil, err
	}
	if err = chat.exchange(ctx, smallMiB<<20); err != nil {
		return nil, err
	}
	for _, way := range ways {
		carried = append(carried, &carriage{transfer: way, size: size})
	}
	for round := range b.scaled(fileRounds) {
		for _, c := range carried {
			if err = c.round(ctx, chat.stack, round, func() error { return c.copy(ctx, curl, dir) }); err != nil {
				return nil, err
			}
			b.progress("  %s: %s", c.name, c.last())
		}
	}
	return carried, nil
}

func restartBridge(ctx context.Context, s *stack.Stack) error {
	stopCtx, cancel := context.WithTimeout(ctx, bridgeStopTimeout)
	defer cancel()
	if err := s.Bridge.Stop(stopCtx); err != nil {
		return err
	}
	return s.Bridge.Start(ctx)
}

// exchange carries a file each way, and looks at nothing but that it arrives.
func (c *fileChat) exchange(ctx context.Context, size int64) error {
	file, err := newPayload(size)
	if err != nil {
		return err
	}
	in, out, err := c.transfers(ctx, file)
	if err != nil {
		return err
	}
	for _, t := range []*transfer{in, out} {
		_, check, err := t.pass(ctx)
		if err == nil {
			err = check(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// carriage is what the rounds have measured of one way until now.
type carriage struct {
	*transfer
	size int // in MiB

	taken, curl    []time.Duration
	before, growth []float64 // the bridge's memory, in MiB
}

// round carries the file once and lets curl do so, before that in every other round.
func (c *carriage) round(ctx context.Context, s *stack.Stack, round int, copy func() error) error {
	if round%2 == 0 {
		if err := c.carry(ctx, s); err != nil {
			return err
		}
	}
	start := time.Now()
	if err := copy(); err != nil {
		return fmt.Errorf("%s with curl: %w", c.name, err)
	}
	c.curl = append(c.curl, time.Since(start))
	if round%2 == 1 {
		return c.carry(ctx, s)
	}
	return nil
}

// carry measures time and memory. The time ends when the receiver has the message, the memory only after the receiver has
// the whole file, which of a file from Matrix the bridge serves.
func (c *carriage) carry(ctx context.Context, s *stack.Stack) error {
	if err := s.Bridge.ResetPeak(); err != nil {
		return err
	}
	before, err := s.Bridge.ResidentBytes()
	if err != nil {
		return err
	}
	took, check, err := c.pass(ctx)
	if err != nil {
		return err
	}
	if err = check(ctx); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	peak, err := s.Bridge.PeakBytes()
	if err != nil {
		return err
	}
	c.taken = append(c.taken, took)
	c.before = append(c.before, float64(before)/(1<<20))
	c.growth = append(c.growth, float64(max(0, peak-before))/(1<<20))
	return nil
}

func (c *carriage) last() string {
	n := len(c.taken) - 1
	return fmt.Sprintf("%.2f s, curl %.2f s; memory %.1f MiB and %.1f MiB more",
		c.taken[n].Seconds(), c.curl[n].Seconds(), c.before[n], c.growth[n])
}

func (c *carriage) figures() []report.Figure {
	name := fmt.Sprintf("%s, a file of %d MiB", c.name, c.size)
	taken, curl := report.Median(report.Milliseconds(c.taken)), report.Median(report.Milliseconds(c.curl))
	perSecond := float64(c.size) * 1000
	return []report.Figure{{
		Name: name, Unit: "ms", Value: taken, Baseline: curl, BaselineName: "curl",
		Target: &report.Target{Subject: report.Ratio, Number: timeTarget},
	}, {
		Name: name + ", speed", Unit: "MiB/s", Value: perSecond / taken, Baseline: perSecond / curl, BaselineName: "curl",
	}, {
		Name: name + ", growth of the bridge's memory", Unit: "MiB",
		Value: report.Percentile(c.growth, 100), Baseline: report.Median(c.before), BaselineName: "before",
		Target: &report.Target{Subject: report.Value, Number: growthTarget},
	}}
}

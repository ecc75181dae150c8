package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"postern/testbed/cmd/bench/report"
	"postern/testbed/stack"
)

const (
	// busyChats have a file of their own each way: ten files at once.
	busyChats   = 5
	busyFileMiB = 20
	// busyRounds send busyTexts each way without files and as many beside them.
	busyRounds = 4
	busyTexts  = 10
	busyTarget = 100 // ms
)

// measureBusy takes the time of single texts as measureLatency does, while files are carried in other chats of the same user,
// and without any. A file that has arrived is followed by the next one at once, so that all texts have ten files beside
// them. Neither end of the files encrypts, uploads or downloads meanwhile: nobody but the servers works on them.
func measureBusy(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	s, err := b.startStack(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	alice, err := newEnlisted(ctx, s, "alice")
	if err != nil {
		return nil, err
	}
	in, out, err := bridgeRoutes(ctx, s, alice)
	if err != nil {
		return nil, err
	}
	b.progress("  starting %d chats with files", busyChats)
	files, err := b.busyTransfers(ctx, s, alice)
	if err != nil {
		return nil, err
	}
	busy, idle := &texts{ways: []*route{in, out}}, &texts{ways: []*route{in.again(), out.again()}}
	if err = busy.send(ctx, 0, latencyWarmUp); err != nil { // they are not counted
		return nil, err
	}
	each := b.scaled(busyTexts)
	for round := range busyRounds {
		first := latencyWarmUp + 2*round*each
		if err = idle.send(ctx, first, each); err != nil {
			return nil, err
		}
		carried, err := beside(ctx, files, func(ctx context.Context) error { return busy.send(ctx, first+each, each) })
		if err != nil {
			return nil, err
		}
		b.progress("  round %d: %d files were carried beside %d texts", round+1, carried, len(busy.ways)*each)
	}
	for n, way := range busy.ways {
		figures = append(figures, busyFigures(way, idle.ways[n])...)
	}
	return figures, nil
}

// texts are sent one at a time, in turns.
type texts struct{ ways []*route }

// send sends texts with the numbers from first on, each on every way.
func (t *texts) send(ctx context.Context, first, count int) error {
	for n := range count {
		for _, way := range t.ways {
			if err := way.pass(ctx, first+n); err != nil {
				return err
			}
		}
	}
	return nil
}

// busyTransfers makes the chats and uploads the files. One of each has to arrive before anything is measured.
func (b *bench) busyTransfers(ctx context.Context, s *stack.Stack, user *stack.BridgeUser) ([]*transfer, error) {
	file, err := newPayload(int64(b.scaled(busyFileMiB)) << 20)
	if err != nil {
		return nil, err
	}
	var files []*transfer
	for n := range busyChats {
		chat, err := newFileChat(ctx, s, user, fmt.Sprintf("Contact %d", n))
		if err != nil {
			return nil, err
		}
		in, out, err := chat.transfers(ctx, file)
		if err != nil {
			return nil, err
		}
		for _, t := range []*transfer{in, out} {
			_, check, err := t.pass(ctx)
			if err == nil {
				err = check(ctx)
			}
			if err != nil {
				return nil, err
			}
			files = append(files, t)
		}
	}
	return files, nil
}

// beside calls do while every one of the files is on its way, again and again, and returns how many have arrived when do
// is done and those that were on their way then have come.
func beside(ctx context.Context, files []*transfer, do func(context.Context) error) (carried int, err error) {
	var (
		arrivals atomic.Int64
		done     atomic.Bool
		sent     sync.WaitGroup
	)
	group, ctx := errgroup.WithContext(ctx)
	for _, file := range files {
		sent.Add(1)
		group.Go(func() error {
			first := sync.OnceFunc(sent.Done)
			defer first()
			sending := *file
			sending.send = func(ctx context.Context) error {
				defer first()
				return file.send(ctx)
			}
			for !done.Load() {
				if _, _, err := sending.pass(ctx); err != nil {
					return err
				}
				arrivals.Add(1)
			}
			return nil
		})
	}
	group.Go(func() error {
		sent.Wait()
		defer done.Store(true)
		return do(ctx)
	})
	err = group.Wait()
	return int(arrivals.Load()), err
}

func busyFigures(busy, idle *route) []report.Figure {
	figure := func(statistic string, percentage int) report.Figure {
		return report.Figure{
			Name: fmt.Sprintf("%s, one message beside %d files, %s of %d", busy.name, 2*busyChats, statistic, len(busy.taken)),
			Unit: "ms", Value: report.Percentile(report.Milliseconds(busy.taken), percentage),
			Baseline: report.Percentile(report.Milliseconds(idle.taken), percentage), BaselineName: "no files",
		}
	}
	median, high := figure("median", 50), figure(fmt.Sprintf("%dth percentile", highPercentile), highPercentile)
	median.Target = &report.Target{Subject: report.Difference, Number: busyTarget}
	return []report.Figure{median, high}
}

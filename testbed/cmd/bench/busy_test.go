package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"postern/testbed/cmd/bench/report"
)

func seconds(numbers ...int) []time.Duration {
	var all []time.Duration
	for _, n := range numbers {
		all = append(all, time.Duration(n)*time.Second)
	}
	return all
}

func TestEveryFileIsOnItsWayUntilTheWorkIsDone(t *testing.T) {
	const files, rounds = 3, 5
	var onTheWay atomic.Int32
	turn := make(chan struct{})
	var all []*transfer
	for range files {
		file := fakeTransfer(func(ctx context.Context) error {
			defer onTheWay.Add(-1)
			select {
			case <-turn:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		file.send = func(context.Context) error { onTheWay.Add(1); return nil }
		all = append(all, file)
	}
	carried, err := beside(t.Context(), all, func(context.Context) error {
		if got := onTheWay.Load(); got != files {
			t.Errorf("%d files are on their way at the beginning", got)
		}
		for range rounds {
			turn <- struct{}{} // one arrives, and the next follows it
		}
		close(turn)
		return nil
	})
	if err != nil || carried < rounds {
		t.Errorf("%d files were carried, %v", carried, err)
	}
}

func TestAFileThatFailsEndsTheWork(t *testing.T) {
	errLostFile := errors.New("lost")
	file := fakeTransfer(func(context.Context) error { return errLostFile })
	_, err := beside(t.Context(), []*transfer{file}, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, errLostFile) {
		t.Errorf("got %v", err)
	}
}

func TestWorkThatFailsEndsTheFiles(t *testing.T) {
	errWork := errors.New("no text came")
	file := fakeTransfer(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if _, err := beside(t.Context(), []*transfer{file}, func(context.Context) error { return errWork }); !errors.Is(err, errWork) {
		t.Errorf("got %v", err)
	}
}

func TestBusyFigures(t *testing.T) {
	var r report.Report
	busy, idle := &route{name: "there", taken: seconds(3, 1, 2)}, &route{taken: seconds(2, 2, 2)}
	if err := r.Add(busyFigures(busy, idle)...); err != nil {
		t.Fatal(err)
	}
	if median := r.Figures[0]; median.Value != 2000 || median.Difference != 0 || median.Verdict != report.Reached {
		t.Errorf("the median is %+v", median)
	}
}

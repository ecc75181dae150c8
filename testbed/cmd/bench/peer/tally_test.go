package peer_test

import (
	"context"
	"errors"
	"testing"

	"postern/testbed/cmd/bench/peer"
)

func TestTallyWakesAtTheNumber(t *testing.T) {
	var tally peer.Tally
	reached := make(chan error, 1)
	go func() { reached <- tally.Wait(context.Background(), 3) }()
	tally.Add(1)
	tally.Add(2)
	if err := <-reached; err != nil {
		t.Error(err)
	}
	if err := tally.Wait(context.Background(), 2); err != nil {
		t.Errorf("what came already is not known: %v", err)
	}
	if got := tally.Count(); got != 3 {
		t.Errorf("the count is %d", got)
	}
}

func TestTallyTellsWhyNothingMoreComes(t *testing.T) {
	var tally peer.Tally
	first := errors.New("first")
	tally.Add(1)
	tally.Fail(first)
	tally.Fail(errors.New("second"))
	if err := tally.Wait(context.Background(), 2); !errors.Is(err, first) {
		t.Errorf("got %v", err)
	}
	if err := tally.Wait(context.Background(), 1); err != nil {
		t.Errorf("what came before the end does not count: %v", err)
	}
}

func TestTallyStopsWaitingWithTheContext(t *testing.T) {
	var tally peer.Tally
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tally.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

package record_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"postern/testbed/record"
)

const deadline = 10 * time.Second

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func is(want int) func(int) bool { return func(got int) bool { return got == want } }

func TestWaitFindsWhatCameBefore(t *testing.T) {
	log := record.New[int]()
	log.Add(1)
	log.Add(2)
	if got, err := log.Wait(within(t, deadline), 0, is(2)); err != nil || got != 2 {
		t.Errorf("got %d, %v", got, err)
	}
}

func TestWaitFindsWhatComesLater(t *testing.T) {
	log := record.New[int]()
	result := make(chan error)
	go func() {
		_, err := log.Wait(within(t, deadline), 0, is(500))
		result <- err
	}()
	for i := range 1000 {
		log.Add(i)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestWaitLooksOnlyBehindTheMark(t *testing.T) {
	log := record.New[int]()
	log.Add(1)
	mark := log.Mark()
	log.Add(2)
	if got := log.Since(mark); len(got) != 1 || got[0] != 2 {
		t.Errorf("behind the mark is %v", got)
	}
	if _, err := log.Wait(within(t, time.Millisecond), mark, is(1)); !errors.Is(err, record.ErrNoMatch) {
		t.Errorf("got %v", err)
	}
}

func TestWaitFailsWhenTheLogEnds(t *testing.T) {
	log := record.New[int]()
	reason := errors.New("the sync ended")
	result := make(chan error)
	go func() {
		_, err := log.Wait(within(t, deadline), 0, is(1))
		result <- err
	}()
	log.End(reason)
	if err := <-result; !errors.Is(err, reason) || !errors.Is(err, record.ErrNoMatch) {
		t.Errorf("got %v", err)
	}
}

func TestNextWalksThroughAllThatMatches(t *testing.T) {
	log := record.New[int]()
	for i := range 6 {
		log.Add(i)
	}
	even := func(i int) bool { return i%2 == 0 }
	var got []int
	mark := record.Mark(0)
	for range 3 {
		entry, next, err := log.Next(within(t, deadline), mark, even)
		if err != nil {
			t.Fatal(err)
		}
		got, mark = append(got, entry), next
	}
	if !slices.Equal(got, []int{0, 2, 4}) {
		t.Errorf("got %v", got)
	}
}

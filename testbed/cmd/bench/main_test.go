package main

import (
	"errors"
	"testing"
)

func TestMeasurementsAreChosenByName(t *testing.T) {
	for only, want := range map[string]int{"": len(measurements), "client": 1, "users,rate": 2} {
		chosen, err := choose(only)
		if err != nil || len(chosen) != want {
			t.Errorf("%q chooses %d: %v", only, len(chosen), err)
		}
	}
	for _, only := range []string{"nothing", "client,", "client rate"} {
		if _, err := choose(only); err == nil {
			t.Errorf("%q is accepted", only)
		}
	}
}

func TestLostAndSwappedMessagesAreFound(t *testing.T) {
	all := messageTexts(3)
	if err := checkTexts(all, 3); err != nil {
		t.Error(err)
	}
	for name, texts := range map[string][]string{
		"lost":    all[:2],
		"swapped": {all[0], all[2], all[1]},
		"twice":   {all[0], all[0], all[1], all[2]},
		"other":   {all[0], "something else", all[2]},
	} {
		if err := checkTexts(texts, 3); !errors.Is(err, errLost) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestQuickRunsMeasureSomething(t *testing.T) {
	if got := (&bench{quick: true}).scaled(5); got != 1 {
		t.Errorf("5 becomes %d", got)
	}
	if got := (&bench{}).scaled(5); got != 5 {
		t.Errorf("5 becomes %d", got)
	}
}

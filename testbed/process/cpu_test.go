package process_test

import (
	"context"
	"errors"
	"testing"

	"postern/testbed/process"
)

func TestProcessorTimeOfABusyProcess(t *testing.T) {
	p, _ := start(t, `while :; do :; done`)
	err := p.WaitReady(within(t), func(context.Context) error {
		taken, err := p.ProcessorTime()
		if err == nil && taken == 0 {
			err = errors.New("no time was taken yet")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestProcessorTimeOfAServiceThatDoesNotRun(t *testing.T) {
	var service process.Service
	if taken, err := service.ProcessorTime(); taken != 0 || err != nil {
		t.Errorf("got %s, %v", taken, err)
	}
}

func TestProcessorTimeOfAnEndedProcessIsAnError(t *testing.T) {
	p, _ := start(t, `exit 0`)
	<-p.Done()
	if taken, err := p.ProcessorTime(); err == nil {
		t.Errorf("got %s", taken)
	}
}

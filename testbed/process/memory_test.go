package process_test

import (
	"testing"

	"postern/testbed/process"
)

func TestPeakIsTheMostSinceTheLastReset(t *testing.T) {
	const held = 64 << 20 // what the shell holds for a while
	p, log := start(t, `x=$(head -c 67108864 /dev/zero | tr '\0' x); unset x; echo done; sleep 600; echo`)
	if err := p.WaitReady(within(t), logHas(log, "done")); err != nil {
		t.Fatal(err)
	}
	if peak, err := p.PeakBytes(); err != nil || peak < held {
		t.Errorf("the peak is %d, %v", peak, err)
	}
	if err := p.ResetPeak(); err != nil {
		t.Fatal(err)
	}
	if peak, err := p.PeakBytes(); err != nil || peak == 0 || peak >= held {
		t.Errorf("the peak after a reset is %d, %v", peak, err)
	}
}

func TestPeakOfAServiceThatDoesNotRun(t *testing.T) {
	var service process.Service
	if err := service.ResetPeak(); err != nil {
		t.Error(err)
	}
	if peak, err := service.PeakBytes(); peak != 0 || err != nil {
		t.Errorf("got %d, %v", peak, err)
	}
}

func TestPeakOfAnEndedProcessIsAnError(t *testing.T) {
	p, _ := start(t, `exit 0`)
	<-p.Done()
	if peak, err := p.PeakBytes(); err == nil {
		t.Errorf("got %d", peak)
	}
	if err := p.ResetPeak(); err == nil {
		t.Error("its peak can be reset")
	}
}

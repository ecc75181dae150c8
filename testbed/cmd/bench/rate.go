package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/testbed/baseline"
	"postern/testbed/cmd/bench/report"
	"postern/testbed/stack"
)

const (
	// rateRounds are measured in turns with the baseline; the medians count.
	rateRounds = 3
	// rateMessages are sent in each chat in a round.
	rateMessages = 100
	rateTarget   = 0.6
)

// measureRate lets contacts write to one Matrix user, each in a chat of its own. The clock stops when each contact has the
// delivery receipt of its last message, which the bridge sends only when the homeserver has accepted the event. The
// messages are encrypted beforehand, and the user is offline, so that neither end takes the processor from those who
// are measured.
func measureRate(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	s, err := b.startStack(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	alice, err := newEnlisted(ctx, s, "alice")
	if err != nil {
		return nil, err
	}
	b.progress("  starting %d chats", chats)
	list := &conversations{user: alice}
	defer list.close()
	if err = list.start(ctx, s); err != nil {
		return nil, err
	}
	alice.Pause()
	senders, err := baseline.NewSenders(ctx, s.Homeserver, chats)
	if err != nil {
		return nil, err
	}
	result := &rates{stack: s, senders: senders, chats: list}
	for round := range rateRounds {
		if err = result.round(ctx, b.scaled(rateMessages)); err != nil {
			return nil, err
		}
		b.progress("  round %d: %.0f/s (raw %.0f)", round+1, result.bridged[round], result.raw[round])
	}
	if err = list.check(ctx, rateRounds*b.scaled(rateMessages)); err != nil {
		return nil, err
	}
	return result.figures(), nil
}

// rates are what the rounds have measured until now.
type rates struct {
	stack   *stack.Stack
	senders *baseline.Senders
	chats   *conversations

	raw, bridged []float64 // messages/s
	// Processor time in ms for one message: the homeserver's for a raw one, the homeserver's and the bridge's for one
	// that is bridged.
	rawHomeserver, homeserver, bridge []float64
}

// round lets the raw senders send and then the contacts.
func (r *rates) round(ctx context.Context, each int) error {
	messages := float64(chats * each)
	measured, homeserverTook, _, err := timed(r.stack, func() (float64, error) { return r.senders.Rate(ctx, each) })
	if err != nil {
		return err
	}
	r.raw, r.rawHomeserver = append(r.raw, measured), append(r.rawHomeserver, homeserverTook.Seconds()*1000/messages)
	measured, homeserverTook, bridgeTook, err := timed(r.stack, func() (float64, error) { return r.chats.rate(ctx, each) })
	if err != nil {
		return err
	}
	r.bridged = append(r.bridged, measured)
	r.homeserver = append(r.homeserver, homeserverTook.Seconds()*1000/messages)
	r.bridge = append(r.bridge, bridgeTook.Seconds()*1000/messages)
	return nil
}

// timed also returns how much processor time the two servers took meanwhile.
func timed(s *stack.Stack, measure func() (float64, error)) (rate float64, homeserver, bridge time.Duration, err error) {
	before, err := processorTimes(s)
	if err != nil {
		return 0, 0, 0, err
	}
	if rate, err = measure(); err != nil {
		return 0, 0, 0, err
	}
	after, err := processorTimes(s)
	return rate, after[0] - before[0], after[1] - before[1], err
}

func processorTimes(s *stack.Stack) (homeserverAndBridge [2]time.Duration, err error) {
	if homeserverAndBridge[0], err = s.Homeserver.ProcessorTime(); err == nil {
		homeserverAndBridge[1], err = s.Bridge.ProcessorTime()
	}
	return homeserverAndBridge, err
}

func (r *rates) figures() []report.Figure {
	processor := func(who string, took []float64) report.Figure {
		return report.Figure{
			Name: fmt.Sprintf("processor time of the %s for one message", who), Value: report.Median(took), Unit: "ms",
			Baseline: report.Median(r.rawHomeserver), BaselineName: "homeserver, raw",
		}
	}
	return []report.Figure{{
		Name: fmt.Sprintf("WhatsApp to Matrix, encrypted, %d chats", chats), Value: report.Median(r.bridged), Unit: "messages/s",
		Baseline: report.Median(r.raw), BaselineName: fmt.Sprintf("%d raw senders", chats),
		Target: &report.Target{Subject: report.Ratio, AtLeast: true, Number: rateTarget},
	}, processor("bridge", r.bridge), processor("homeserver", r.homeserver)}
}

// newEnlisted makes a Matrix user who enlists by talking to the bot.
func newEnlisted(ctx context.Context, s *stack.Stack, name string) (*stack.BridgeUser, error) {
	user, err := s.NewBridgeUser(ctx, name)
	if err != nil {
		return nil, err
	}
	return user, user.Enlist(ctx)
}

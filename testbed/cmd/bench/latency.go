package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types/events"
	"maunium.net/go/mautrix/id"

	"postern/testbed/cmd/bench/report"
	"postern/testbed/matrixuser"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

const (
	// latencyMessages are sent each way, one at a time, in turns with the baseline.
	latencyMessages = 100
	// latencyWarmUp of them are not counted: they set up sessions and fill caches.
	latencyWarmUp = 5
	latencyTarget = 15 // ms
	// latencyPause lets receipts and message states settle before the next message. People pause longer.
	latencyPause = 100 * time.Millisecond
	// highPercentile is the second figure beside the median.
	highPercentile = 95
)

// route is a way that one message takes.
type route struct {
	name string
	// send returns when the sender's client has sent it.
	send func(ctx context.Context, text string) error
	// expect prepares to wait; arrived returns when the receiver's client shows the message decrypted.
	expect func(text string) (arrived func(ctx context.Context) error)
	taken  []time.Duration
}

// measureLatency takes the time from before the sender's client encrypts a message until the receiver's client has
// decrypted it, and compares it with that of an encrypted message from one Matrix user to another on the same homeserver.
func measureLatency(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	s, err := b.startStack(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	alice, err := newEnlisted(ctx, s, "alice")
	if err != nil {
		return nil, err
	}
	raw, err := rawRoute(ctx, s, alice)
	if err != nil {
		return nil, err
	}
	in, out, err := bridgeRoutes(ctx, s, alice)
	if err != nil {
		return nil, err
	}
	count := b.scaled(latencyMessages)
	for n := range count + latencyWarmUp {
		for _, r := range []*route{raw, in, out} {
			if err = r.pass(ctx, n); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range []*route{in, out} {
		figures = append(figures, latencyFigures(r, raw)...)
	}
	return figures, nil
}

func latencyFigures(measured, raw *route) []report.Figure {
	figure := func(statistic string, percentage int) report.Figure {
		return report.Figure{
			Name:         fmt.Sprintf("%s, one message, %s", measured.name, statistic),
			Value:        report.Percentile(report.Milliseconds(measured.taken), percentage),
			Unit:         "ms",
			Baseline:     report.Percentile(report.Milliseconds(raw.taken), percentage),
			BaselineName: raw.name,
		}
	}
	median, high := figure("median", 50), figure(fmt.Sprintf("%dth percentile", highPercentile), highPercentile)
	median.Target = &report.Target{Subject: report.Difference, Number: latencyTarget}
	return []report.Figure{median, high}
}

// pass sends one message and notes how long it took. The wait begins before the message is sent, so that a message that
// arrives before its sender is told of its success is noted at the right time.
func (r *route) pass(ctx context.Context, n int) error {
	text := fmt.Sprintf("%s number %d.", r.name, n)
	type arrival struct {
		at  time.Time
		err error
	}
	arrived := make(chan arrival, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait := r.expect(text)
	go func() {
		err := wait(ctx)
		arrived <- arrival{time.Now(), err}
	}()
	start := time.Now()
	sendErr := r.send(ctx, text)
	if sendErr != nil {
		cancel()
	}
	result := <-arrived
	if err := errors.Join(sendErr, result.err); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	if n >= latencyWarmUp {
		r.taken = append(r.taken, result.at.Sub(start))
	}
	select {
	case <-time.After(latencyPause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// again is the same way, of which nothing is measured yet.
func (r *route) again() *route { return &route{name: r.name, send: r.send, expect: r.expect} }

// rawRoute leads from a new Matrix user to the other.
func rawRoute(ctx context.Context, s *stack.Stack, to *stack.BridgeUser) (*route, error) {
	from, err := s.NewUser(ctx, "neighbour")
	if err != nil {
		return nil, err
	}
	room, err := from.InviteToDirectChat(ctx, to.ID(), true)
	if err != nil {
		return nil, err
	}
	if err = to.Join(ctx, room); err != nil {
		return nil, err
	}
	return &route{name: "Matrix to Matrix", send: sends(from, room), expect: arrivesOnMatrix(to.User, room)}, nil
}

// bridgeRoutes lead from a new contact to the user and back.
func bridgeRoutes(ctx context.Context, s *stack.Stack, user *stack.BridgeUser) (in, out *route, err error) {
	contact, err := s.NewContact(ctx, "Bob", 1)
	if err != nil {
		return nil, nil, err
	}
	room, err := user.StartChat(ctx, contact.Phone)
	if err != nil {
		return nil, nil, err
	}
	device := contact.Device()
	in = &route{
		name: "WhatsApp to Matrix",
		send: func(ctx context.Context, text string) error {
			_, err := device.SendText(ctx, user.Address, text)
			return err
		},
		expect: arrivesOnMatrix(user.User, room),
	}
	out = &route{name: "Matrix to WhatsApp", send: sends(user.User, room), expect: arrivesOnWhatsApp(device)}
	return in, out, nil
}

func sends(from *matrixuser.User, room id.RoomID) func(context.Context, string) error {
	return func(ctx context.Context, text string) error {
		_, err := from.SendText(ctx, room, text)
		return err
	}
}

func arrivesOnMatrix(to *matrixuser.User, room id.RoomID) func(string) func(context.Context) error {
	return func(text string) func(context.Context) error {
		mark := to.Mark()
		return func(ctx context.Context) error {
			_, err := to.WaitAfter(ctx, mark, text, matrixuser.MessageIn(room, "", text))
			return err
		}
	}
}

func arrivesOnWhatsApp(device *whatsapp.Device) func(string) func(context.Context) error {
	return func(text string) func(context.Context) error {
		mark := device.Mark()
		return func(ctx context.Context) error {
			_, err := device.WaitAfter(ctx, mark, text, func(evt any) bool {
				message, ok := evt.(*events.Message)
				return ok && whatsapp.Text(message.Message) == text
			})
			return err
		}
	}
}

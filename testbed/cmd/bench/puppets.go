package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/testbed/cmd/bench/report"
	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

const (
	// puppetRounds are measured in turns with the baseline; the medians count. Each goes first in half of them.
	puppetRounds     = 6
	puppetMessages   = 100
	puppetRateTarget = 0.95
	// firstMessages are sent by as many new contacts, in turns with the baseline.
	firstMessages      = 40
	firstMessageTarget = 150 // ms
	puppetDiskTarget   = 6   // KiB
)

// measurePuppets compares contacts whose messages are encrypted by a device of their own with contacts whose messages are encrypted
// by the bot's, in the same bridge and on the same homeserver: for every second contact the homeserver refuses the device. How
// much memory a device takes is measured by a test of bridge/homeserver, since the difference drowns in that of a process.
func measurePuppets(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	var front puppetFront
	s, err := stack.Start(ctx, stack.Options{
		Homeserver: b.kind, Builder: b.builder, LogLevel: "warn", Front: front.start,
		Progress: func(step string) { b.progress("  %s", step) },
	})
	if err != nil {
		return nil, errors.Join(err, front.close())
	}
	defer func() { err = errors.Join(err, s.Close(), front.close()) }()
	alice, err := newEnlisted(ctx, s, "alice")
	if err != nil {
		return nil, err
	}
	first, err := measureFirstMessages(ctx, b, s)
	if err != nil {
		return nil, err
	}
	rates, err := measurePuppetRate(ctx, b, s, alice)
	if err != nil {
		return nil, err
	}
	disk, err := measurePuppetDisk(ctx, s)
	return append([]report.Figure{first, disk}, rates...), err
}

// measureFirstMessages takes the time from before a new contact sends the first message, for which a room and a device are made,
// until the user's client has decrypted it. Both kinds wait for the invitation to be accepted, and a moment for clients to ask for the
// contact's keys. Every user gets one contact of each kind, since the bridge lets only a few strangers ask at a time.
func measureFirstMessages(ctx context.Context, b *bench, s *stack.Stack) (figure report.Figure, err error) {
	b.progress("  first messages of new contacts")
	var own, bots []float64
	var user *stack.BridgeUser
	for n := range 2 * b.scaled(firstMessages) {
		if n%2 == 0 {
			if user, err = newEnlisted(ctx, s, fmt.Sprintf("user-%d", n)); err != nil {
				return figure, err
			}
			user.AcceptInvitations(s.Bot())
		}
		contact, err := s.NewContact(ctx, fmt.Sprintf("Contact %d", n), 1)
		if err != nil {
			return figure, err
		}
		text := "first message of " + contact.Phone
		mark, start := user.Mark(), time.Now()
		if _, err = contact.Device().SendText(ctx, user.Address, text); err != nil {
			return figure, err
		}
		evt, err := user.WaitAfter(ctx, mark, text, matrixuser.MessageIn("", "", text))
		if err != nil {
			return figure, err
		}
		taken := time.Since(start).Seconds() * 1000
		byOwn := evt.Mautrix.TrustSource != nil && evt.Mautrix.TrustSource.UserID == evt.Sender
		if byOwn == hasNoDevice(contact.Phone) {
			return figure, fmt.Errorf("%w: the message of %s is encrypted by %v", errWrongDevice, contact.Phone, evt.Mautrix.TrustSource)
		}
		if n < 2 {
			continue // caches are empty
		}
		if byOwn {
			own = append(own, taken)
		} else {
			bots = append(bots, taken)
		}
	}
	return report.Figure{
		Name: "first message of a new contact with a device of its own, median", Unit: "ms",
		Value: report.Median(own), Baseline: report.Median(bots), BaselineName: "under the bot's device",
		Target: &report.Target{Subject: report.Difference, Number: firstMessageTarget},
	}, nil
}

// errWrongDevice: the comparison would be one of a thing with itself.
var errWrongDevice = errors.New("a message is encrypted by the wrong device")

// puppetRates are what the rounds of one kind of contacts have measured.
type puppetRates struct {
	rate               []float64 // messages/s
	homeserver, bridge []float64 // processor time for one message, in ms
}

// measurePuppetRate is measureRate with contacts of the one kind and, as baseline, of the other. The processor's time says more than the
// rate where the machine has other things to do.
func measurePuppetRate(ctx context.Context, b *bench, s *stack.Stack, alice *stack.BridgeUser) ([]report.Figure, error) {
	own := &conversations{user: alice, first: firstPhone, step: 2}
	bots := &conversations{user: alice, first: firstPhone + 1, step: 2}
	rates := map[*conversations]*puppetRates{own: {}, bots: {}}
	for _, list := range []*conversations{own, bots} {
		b.progress("  starting %d chats", chats)
		defer list.close()
		if err := list.start(ctx, s); err != nil {
			return nil, err
		}
	}
	alice.Pause()
	each := b.scaled(puppetMessages)
	for round := range puppetRounds {
		order := []*conversations{own, bots}
		if round%2 == 1 {
			order = []*conversations{bots, own}
		}
		for _, list := range order {
			measured, homeserver, bridge, err := timed(s, func() (float64, error) { return list.rate(ctx, each) })
			if err != nil {
				return nil, err
			}
			result, messages := rates[list], float64(chats*each)
			result.rate = append(result.rate, measured)
			result.homeserver = append(result.homeserver, homeserver.Seconds()*1000/messages)
			result.bridge = append(result.bridge, bridge.Seconds()*1000/messages)
		}
		b.progress("  round %d: %.0f/s (under the bot's device %.0f)", round+1, rates[own].rate[round], rates[bots].rate[round])
	}
	for _, list := range []*conversations{own, bots} {
		if err := list.check(ctx, puppetRounds*each); err != nil {
			return nil, err
		}
	}
	figure := func(name, unit string, own, bots []float64) report.Figure {
		return report.Figure{Name: name, Unit: unit, Value: report.Median(own), Baseline: report.Median(bots), BaselineName: "under the bot's device"}
	}
	rate := figure(fmt.Sprintf("WhatsApp to Matrix, contacts' own devices, %d chats", chats), "messages/s", rates[own].rate, rates[bots].rate)
	rate.Target = &report.Target{Subject: report.Ratio, AtLeast: true, Number: puppetRateTarget}
	return []report.Figure{
		rate,
		figure("processor time of the homeserver for one of these", "ms", rates[own].homeserver, rates[bots].homeserver),
		figure("processor time of the bridge for one of these", "ms", rates[own].bridge, rates[bots].bridge),
	}, nil
}

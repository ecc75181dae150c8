package main

import (
	"context"
	"errors"
	"fmt"

	"postern/interop"
	"postern/interop/memstore"
	"postern/testbed/cmd/bench/report"
)

const (
	// clientRounds are measured in turns with the baseline; the medians count.
	clientRounds = 5
	// clientMessages are sent in each chat in a round, one way.
	clientMessages = 500
	clientTarget   = 1500 // messages/s
)

// measureClient lets one interop client receive and send as fast as it can, with the bridge's database and with a store
// in memory. The baseline is what the gatekeeper stores and forwards between clients that neither encrypt nor keep
// anything. The contacts share the processor with the client, since they have to run somewhere.
func measureClient(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	l, err := b.startLone(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err = l.addContacts(ctx, chats); err != nil {
		return nil, err
	}
	raw, err := l.newRawPartner(ctx)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	account, inDatabase, err := l.partner.Enlist(ctx, l.gatekeeper, "database")
	if err != nil {
		return nil, err
	}
	figures, err = b.compareClient(ctx, l, raw, account, inDatabase, "database")
	if err != nil {
		return nil, err
	}
	for i := range figures {
		figures[i].Target = &report.Target{Subject: report.Value, AtLeast: true, Number: clientTarget}
	}

	// New contacts: each of them talks with one partner user.
	l.closeContacts()
	if err = l.addContacts(ctx, chats); err != nil {
		return nil, err
	}
	if account, _, err = l.partner.Enlist(ctx, l.gatekeeper, "memory"); err != nil {
		return nil, err
	}
	inMemory, err := b.compareClient(ctx, l, raw, account, memstore.New(), "memory")
	return append(figures, inMemory...), err
}

// compareClient measures a client with a store, and the baseline in between.
func (b *bench) compareClient(
	ctx context.Context, l *lone, raw *rawPartner, account interop.Account, store interop.Store, name string,
) ([]report.Figure, error) {
	client := newMeasuredClient(l, account, store)
	defer client.stop()
	if err := client.introduce(ctx, l.contacts); err != nil {
		return nil, err
	}
	each := b.scaled(clientMessages)
	var in, out, rawIn, rawOut []float64
	for round := range clientRounds {
		for _, part := range []struct {
			into *[]float64
			run  func(context.Context, *lone, int) (float64, error)
		}{
			{&rawIn, raw.receiveRate}, {&in, client.receiveRate}, {&rawOut, raw.sendRate}, {&out, client.sendRate},
		} {
			rate, err := part.run(ctx, l, each)
			if err != nil {
				return nil, err
			}
			*part.into = append(*part.into, rate)
		}
		b.progress("  %s, round %d: in %.0f/s (raw %.0f), out %.0f/s (raw %.0f)",
			name, round+1, in[round], rawIn[round], out[round], rawOut[round])
	}
	figure := func(what string, rates, raw []float64) report.Figure {
		return report.Figure{
			Name: fmt.Sprintf("interop client alone, %s, store in %s", what, name), Value: report.Median(rates), Unit: "messages/s",
			Baseline: report.Median(raw), BaselineName: "gatekeeper alone",
		}
	}
	return []report.Figure{figure("receiving", in, rawIn), figure("sending", out, rawOut)}, nil
}

package main

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types"
	"golang.org/x/sync/errgroup"

	"postern/testbed/cmd/bench/peer"
)

// rawPartner is a partner's client that cannot encrypt: all that it sends and gets is noise.
type rawPartner struct {
	*peer.Channel
	// alias is where WhatsApp users write to.
	alias types.JID
}

func (l *lone) newRawPartner(ctx context.Context) (*rawPartner, error) {
	account, _, err := l.partner.Enlist(ctx, l.gatekeeper, "raw")
	if err != nil {
		return nil, err
	}
	login, err := l.partner.Login(ctx, l.gatekeeper, account)
	if err != nil {
		return nil, err
	}
	alias, err := l.sandbox.AliasOf(ctx, account.UserVisibleID)
	if err != nil {
		return nil, err
	}
	channel, err := peer.Connect(ctx, login, nil)
	if err != nil {
		return nil, err
	}
	if err = channel.Activate(ctx); err != nil {
		channel.Close()
		return nil, err
	}
	return &rawPartner{channel, alias}, nil
}

// receiveRate returns how many messages a second come from the contacts.
func (p *rawPartner) receiveRate(ctx context.Context, l *lone, each int) (float64, error) {
	stanzas := make([][][]byte, len(l.contacts))
	var delivered []int
	for i, contact := range l.contacts {
		var err error
		if stanzas[i], err = peer.Noise(p.alias, each); err != nil {
			return 0, err
		}
		delivered = append(delivered, contact.Delivered.Count())
	}
	wanted := p.Received.Count() + len(l.contacts)*each
	start := time.Now()
	group, sendCtx := errgroup.WithContext(ctx)
	for i, contact := range l.contacts {
		group.Go(func() error { return contact.Send(sendCtx, stanzas[i]) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	if err := p.Received.Wait(ctx, wanted); err != nil {
		return 0, err
	}
	took := time.Since(start)
	for i, contact := range l.contacts {
		if err := contact.Delivered.Wait(ctx, delivered[i]+each); err != nil {
			return 0, err
		}
	}
	return rate(len(l.contacts)*each, took), nil
}

// sendRate returns how many messages a second the gatekeeper takes for the contacts.
func (p *rawPartner) sendRate(ctx context.Context, l *lone, each int) (float64, error) {
	stanzas := make([][]byte, 0, len(l.contacts)*each)
	noise := make([][][]byte, len(l.contacts))
	var received []int
	for i, contact := range l.contacts {
		var err error
		if noise[i], err = peer.Noise(contact.JID, each); err != nil {
			return 0, err
		}
		received = append(received, contact.Received.Count())
	}
	for n := range each {
		for i := range noise {
			stanzas = append(stanzas, noise[i][n])
		}
	}
	start := time.Now()
	if err := p.Send(ctx, stanzas); err != nil {
		return 0, err
	}
	took := time.Since(start)
	for i, contact := range l.contacts {
		if err := contact.Received.Wait(ctx, received[i]+each); err != nil {
			return 0, err
		}
		contact.Discard()
	}
	return rate(len(stanzas), took), nil
}

package gatekeeper_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// BenchmarkStoreAndForward is the rate at which one partner's user can write to one device: each message is stored,
// acked, delivered, acknowledged with a receipt that is stored and delivered in turn, and removed. Both ends run in
// the same process. TMPDIR decides on what disk; a RAM disk shows the gatekeeper rather than the disk.
func BenchmarkStoreAndForward(b *testing.B) {
	p := startPair(b)
	bob := p.bob.number
	window := make(chan struct{}, 256)
	var receipts atomic.Int64
	done := make(chan struct{})
	count := int64(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { // Alice reads acks and receipts
		defer close(done)
		for acks := int64(0); acks < count || receipts.Load() < count; {
			switch node := p.alice.read(); node.Tag {
			case "ack":
				if node.Attrs["error"] != nil {
					b.Errorf("refused: %v", node.Attrs)
				}
				acks++
				<-window
			case "receipt":
				receipts.Add(1)
				p.alice.write(waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"class": "receipt", "id": node.Attrs["id"], "to": node.Attrs["from"]}})
			}
		}
	}()
	go func() { // Bob acknowledges
		for range count {
			node := p.bob.await("message")
			p.bob.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": node.Attrs["id"], "to": node.Attrs["from"]}})
		}
	}()
	for i := range count {
		window <- struct{}{}
		p.alice.write(letterTo(fmt.Sprint("M", i), bob, bob))
	}
	<-done
	b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkLogin is what one login of a partner's user costs both ends together: websocket, Noise, token, database.
func BenchmarkLogin(b *testing.B) {
	s := start(b)
	alice := newIdentity("@alice:example.org")
	account := s.enlisted(alice)
	payload := s.payload(alice, account)
	for b.Loop() {
		c, answer := s.dial(alice.noise, payload)
		if answer.Tag != "success" {
			b.Fatal(answer)
		}
		_ = c.Close(0)
	}
}

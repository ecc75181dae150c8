package homeserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const (
	// probeTimeout is how long a to-device message to ourselves may take to come back in a transaction. It takes some
	// milliseconds where it works.
	probeTimeout = 4 * time.Second
	// probeKey is where the last result is kept, together with what it was found with.
	probeKey = "matrix.to_device_probe"
)

// probeType is the to-device message that the bot sends to itself.
var probeType = event.Type{Type: "org.postern.probe", Class: event.ToDeviceEventType}

// probe waits for a message from the bot to itself.
type probe struct {
	lock  sync.Mutex
	token string
	seen  chan struct{}
}

func (p *probe) begin() (token string, seen <-chan struct{}) {
	p.lock.Lock()
	defer p.lock.Unlock()
	var random [8]byte
	rand.Read(random[:])
	p.token, p.seen = hex.EncodeToString(random[:]), make(chan struct{})
	return p.token, p.seen
}

// matches tells whether the event is a probe of ours, of this or an earlier start.
func (p *probe) matches(evt *event.Event) bool {
	if evt.Type.Type != probeType.Type {
		return false
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if token, _ := evt.Content.Raw["token"].(string); p.seen != nil && token == p.token {
		close(p.seen)
		p.seen = nil
	}
	return true
}

// detectToDevice finds out whether to-device messages come in transactions. No server tells: Synapse does it if three
// experimental flags are set. So the bot sends itself one and waits. A yes is remembered, because after a long absence
// Synapse may wait minutes before it sends anything at all.
func (c *Connector) detectToDevice(ctx context.Context) error {
	if c.features.Software == Dendrite {
		return nil
	}
	signature := probedServer(c.features) + c.crypto.bot.client.DeviceID.String()
	known, err := c.options.KV.Get(ctx, probeKey)
	if err != nil {
		return fmt.Errorf("failed to load what is known of the homeserver: %w", err)
	} else if string(known) == signature {
		c.features.ToDevice = true
		return nil
	}
	token, seen := c.probe.begin()
	_, err = c.crypto.bot.client.SendToDevice(ctx, probeType, &mautrix.ReqSendToDevice{
		Messages: map[id.UserID]map[id.DeviceID]*event.Content{
			c.crypto.bot.client.UserID: {c.crypto.bot.client.DeviceID: {Raw: map[string]any{"token": token}}},
		},
	})
	if err != nil {
		return fmt.Errorf("failed to send a to-device message: %w", err)
	}
	timer := time.NewTimer(probeTimeout)
	defer timer.Stop()
	select {
	case <-seen:
		c.features.ToDevice = true
		return c.options.KV.Set(ctx, probeKey, []byte(signature))
	case <-timer.C:
		c.Log.Warn().Msg("The homeserver does not send to-device messages in transactions, so the bot reads them by /sync. " +
			"With Synapse, set experimental_features msc2409_to_device_messages_enabled, msc3202_device_masquerading and " +
			"msc3202_transaction_extensions to spare it that")
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// probedServer begins what is remembered of a probe; the bot's device follows.
func probedServer(f Features) string { return f.Software + " " + f.Version + " " }

// ToDeviceProven tells whether a bridge with these values found that this server sends to-device messages in transactions. No may also
// mean that no bridge tried yet.
func ToDeviceProven(ctx context.Context, kv KV, server Features) (bool, error) {
	known, err := kv.Get(ctx, probeKey)
	return strings.HasPrefix(string(known), probedServer(server)), err
}

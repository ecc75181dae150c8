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
	// probePatience is how long a to-device message to ourselves may take to come back in a transaction until the start goes on without. It
	// takes some milliseconds where it works and the homeserver is not busy.
	probePatience = 4 * time.Second
	// probeRetryFirst is when the next one is sent. It doubles with every try up to probeRetryMax.
	probeRetryFirst = time.Minute
	probeRetryMax   = time.Hour
	// probeKey is where the last result is kept, together with what it was found with.
	probeKey = "matrix.to_device_probe"
)

// probeType is the to-device message that the bot sends to itself.
var probeType = event.Type{Type: "org.postern.probe", Class: event.ToDeviceEventType}

// probe is a to-device message from the bot to itself, sent to see which way it comes. Its token is that of this run: what a homeserver
// still had to send of an earlier one proves nothing of what it does now.
type probe struct {
	token           string
	patience, retry time.Duration
	once            sync.Once
	seen            chan struct{} // closed when one came in a transaction
}

func newProbe() *probe {
	var random [8]byte
	rand.Read(random[:])
	return &probe{token: hex.EncodeToString(random[:]), patience: probePatience, retry: probeRetryFirst, seen: make(chan struct{})}
}

// matches tells whether the event is a probe of ours, of this or an earlier run, and notes if it came in a transaction. The bot's sync
// brings them, too.
func (p *probe) matches(ctx context.Context, evt *event.Event) bool {
	if evt.Type.Type != probeType.Type {
		return false
	}
	if token, _ := evt.Content.Raw["token"].(string); token == p.token && InTransaction(ctx) {
		p.once.Do(func() { close(p.seen) })
	}
	return true
}

// detectToDevice finds out whether to-device messages come in transactions. No server tells: Synapse does it if three
// experimental flags are set. So the bot sends itself one and waits. A yes is remembered, because after a long absence
// Synapse may wait minutes before it sends anything at all. After a no, keepProbing goes on.
func (c *Connector) detectToDevice(ctx context.Context) error {
	if c.features.Software == Dendrite {
		return nil
	}
	known, err := c.options.KV.Get(ctx, probeKey)
	if err != nil {
		return fmt.Errorf("failed to load what is known of the homeserver: %w", err)
	} else if string(known) == c.probeSignature() {
		c.toDevicePushed.Store(true)
		return nil
	}
	if err = c.sendProbe(ctx); err != nil {
		return fmt.Errorf("failed to send a to-device message: %w", err)
	}
	timer := time.NewTimer(c.probe.patience)
	defer timer.Stop()
	select {
	case <-c.probe.seen:
		c.toDevicePushed.Store(true)
		return c.options.KV.Set(ctx, probeKey, []byte(c.probeSignature()))
	case <-timer.C:
		c.Log.Warn().Msg("The homeserver does not send to-device messages in transactions, so the bot reads them by /sync. " +
			"With Synapse, set experimental_features msc2409_to_device_messages_enabled, msc3202_device_masquerading and " +
			"msc3202_transaction_extensions to spare it that")
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Connector) sendProbe(ctx context.Context) error {
	bot := c.crypto.bot.client
	_, err := bot.SendToDevice(ctx, probeType, &mautrix.ReqSendToDevice{
		Messages: map[id.UserID]map[id.DeviceID]*event.Content{
			bot.UserID: {bot.DeviceID: {Raw: map[string]any{"token": c.probe.token}}},
		},
	})
	return err
}

// keepProbing waits for a probe that did not come in time, until ctx ends, and sends another one now and then: a homeserver that is busy takes
// longer, and may not have pushed a message that the bot's sync already took. When one comes, the bot syncs for to-device messages no more.
func (c *Connector) keepProbing(ctx context.Context) {
	for pause := c.probe.retry; ; pause = min(2*pause, probeRetryMax) {
		timer := time.NewTimer(pause)
		select {
		case <-c.probe.seen:
			timer.Stop()
			c.toDeviceCame(ctx)
			return
		case <-timer.C:
			if err := c.sendProbe(ctx); err != nil {
				c.Log.Warn().Err(err).Msg("Failed to find out whether the homeserver sends to-device messages in transactions by now")
			}
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// toDeviceCame is called when it turns out later that to-device messages come in transactions. All that came so were handled, whether the
// sync brought them as well or not, so nothing is missed between the two.
func (c *Connector) toDeviceCame(ctx context.Context) {
	c.toDevicePushed.Store(true)
	if !c.features.needsSync() {
		c.sync.stop()
	}
	if err := c.options.KV.Set(ctx, probeKey, []byte(c.probeSignature())); err != nil {
		c.Log.Err(err).Msg("Failed to remember that the homeserver sends to-device messages in transactions")
	}
	c.Log.Info().Msg("The homeserver sends to-device messages in transactions, so the bot does not read them by /sync any more")
}

// probeSignature is what a result is found with.
func (c *Connector) probeSignature() string {
	return probedServer(c.features) + c.crypto.bot.client.DeviceID.String()
}

// probedServer begins what is remembered of a probe; the bot's device follows.
func probedServer(f Features) string { return f.Software + " " + f.Version + " " }

// ToDeviceProven tells whether a bridge with these values found that this server sends to-device messages in transactions. No may also
// mean that no bridge tried yet.
func ToDeviceProven(ctx context.Context, kv KV, server Features) (bool, error) {
	known, err := kv.Get(ctx, probeKey)
	return strings.HasPrefix(string(known), probedServer(server)), err
}

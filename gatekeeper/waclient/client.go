package waclient

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// ReconnectPause is what is left of whatsmeow's growing pauses: the server is on this machine.
const ReconnectPause = 200 * time.Millisecond

// Client is whatsmeow's client.
type Client struct {
	*whatsmeow.Client

	cancel context.CancelFunc
	// turn is held while a message is encrypted or decrypted. whatsmeow does both on one session at the same time, and
	// then one of the two states of the ratchet is lost.
	turn *sync.Mutex
}

// Register fills in what a phone gets when it registers: its two addresses, and a proof of its account that nobody in the
// sandbox looks at. The caller saves the device.
func Register(device *store.Device, number, lid types.JID, name, platform string) {
	device.ID, device.LID = &number, lid
	device.PushName, device.Platform = name, platform
	device.Account = &waAdv.ADVSignedDeviceIdentity{
		Details:             []byte{},
		AccountSignatureKey: make([]byte, 32),
		AccountSignature:    make([]byte, 64),
		DeviceSignature:     make([]byte, 64),
	}
}

// New makes the client of a registered device. chat is the chat server's websocket; the media host is at the same address.
// It reconnects by itself once it was connected, until Close. See [Trust], too.
func New(device *store.Device, chat *url.URL, log waLog.Logger) *Client {
	turn := &sync.Mutex{}
	device.EventBuffer = turnTakingBuffer{device.EventBuffer, turn}
	background, cancel := context.WithCancel(context.Background())
	client := whatsmeow.NewClient(device, log)
	client.SetWebsocketHTTPClient(&http.Client{Transport: chatTransport{chat, http.DefaultTransport}})
	client.SetMediaHTTPClient(&http.Client{Transport: mediaTransport{chat, http.DefaultTransport}})
	client.BackgroundEventCtx = background
	client.EnableDecryptedEventBuffer = true
	client.SynchronousAck = true
	client.UseRetryMessageStore = true
	client.InitialAutoReconnect = true
	client.AutoReconnectHook = func(error) bool {
		client.AutoReconnectErrors = 0
		select {
		case <-background.Done():
			return false
		case <-time.After(ReconnectPause):
			return true
		}
	}
	client.SetForceActiveDeliveryReceipts(true)
	return &Client{Client: client, cancel: cancel, turn: turn}
}

// Send encrypts and sends a message under the id, and returns when the server has it.
func (c *Client) Send(ctx context.Context, to types.JID, message *waE2E.Message, id types.MessageID) (whatsmeow.SendResponse, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	return c.SendMessage(ctx, to, message, whatsmeow.SendRequestExtra{ID: id})
}

// Close disconnects for good. The device's store stays open.
func (c *Client) Close() {
	// In this order: a connection that ends by itself races with one that is ended, inside whatsmeow.
	c.Disconnect()
	c.cancel()
}

// turnTakingBuffer is the store's own event buffer, whose transaction every decryption runs in.
type turnTakingBuffer struct {
	store.EventBuffer
	turn *sync.Mutex
}

// DoDecryptionTxn waits until no message is being sent.
func (b turnTakingBuffer) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	b.turn.Lock()
	defer b.turn.Unlock()
	return b.EventBuffer.DoDecryptionTxn(ctx, fn)
}

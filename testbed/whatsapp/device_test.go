package whatsapp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/waclient"
	"postern/interop/wire"
	"postern/testbed/process"
	"postern/testbed/programs"
	"postern/testbed/sandbox"
	"postern/testbed/servertest"
	"postern/testbed/whatsapp"
)

// newSandbox starts a gatekeeper. Its partner is never asked for anything.
func newSandbox(t *testing.T, ctx context.Context) *sandbox.Server {
	t.Helper()
	builder, err := programs.NewBuilder(false)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := builder.Postern(ctx)
	if err != nil {
		t.Fatal(err)
	}
	server, err := sandbox.New(sandbox.Options{
		Binary: binary, Dir: servertest.Dir(t),
		Partner: sandbox.Partner{Integrator: 1, Issuer: "http://127.0.0.1:9", Audience: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Kill()
		if t.Failed() {
			t.Logf("end of the gatekeeper's log:\n%s", process.LogTail(server.LogFile()))
		}
	})
	if err = server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err = waclient.Trust(server.RootKey()); err != nil {
		t.Fatal(err)
	}
	return server
}

func newDevice(t *testing.T, ctx context.Context, server *sandbox.Server, phone, name string) *whatsapp.Device {
	t.Helper()
	device, err := whatsapp.New(ctx, whatsapp.Options{
		Phone: phone, Name: name, Directory: server, ChatURL: server.ChatURL(), Dir: servertest.Dir(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := device.Close(); err != nil {
			t.Error(err)
		}
	})
	return device
}

func connect(t *testing.T, ctx context.Context, devices ...*whatsapp.Device) {
	t.Helper()
	for _, device := range devices {
		if err := device.Connect(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	bobPhone   = "+4915100000001"
	carolPhone = "+4915100000002"
)

func newAccounts(t *testing.T, ctx context.Context, server *sandbox.Server) {
	t.Helper()
	for phone, name := range map[string]string{bobPhone: "Bob", carolPhone: "Carol"} {
		if err := server.CreateAccount(ctx, phone, name); err != nil {
			t.Fatal(err)
		}
	}
}

func addressOf(device *whatsapp.Device) types.JID { return device.JID().ToNonAD() }

func TestDevicesTalkThroughTheSandbox(t *testing.T) {
	ctx := servertest.Context(t, servertest.Limit)
	server := newSandbox(t, ctx)
	newAccounts(t, ctx, server)
	bob := newDevice(t, ctx, server, bobPhone, "Bob")
	phone, tablet := newDevice(t, ctx, server, carolPhone, "Carol"), newDevice(t, ctx, server, carolPhone, "Carol")
	connect(t, ctx, bob, phone, tablet)

	sent, err := bob.SendText(ctx, addressOf(phone), "hello Carol")
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []*whatsapp.Device{phone, tablet} {
		message, err := device.WaitMessage(ctx, "hello Carol")
		if err != nil {
			t.Fatal(err)
		}
		if message.Info.ID != sent || message.Info.PushName != "Bob" {
			t.Errorf("the message has id %s and sender %q", message.Info.ID, message.Info.PushName)
		}
	}
	if err = bob.WaitReceipt(ctx, sent, types.ReceiptTypeDelivered); err != nil {
		t.Error(err)
	}
	message, err := phone.WaitMessage(ctx, "hello Carol")
	if err != nil {
		t.Fatal(err)
	}
	if err = phone.MarkRead(ctx, message.Info.Chat, sent); err != nil {
		t.Fatal(err)
	}
	if err = bob.WaitReceipt(ctx, sent, types.ReceiptTypeRead); err != nil {
		t.Error(err)
	}
	mark := bob.Mark()
	if err = phone.Typing(ctx, message.Info.Chat, true); err != nil {
		t.Fatal(err)
	}
	if err = bob.WaitTyping(ctx, mark, types.ChatPresenceComposing); err != nil {
		t.Error(err)
	}
	record, err := server.WaitMessage(ctx, sent)
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Enc) < 2 || record.Size == 0 {
		t.Errorf("the gatekeeper saw %+v", record)
	}
}

func TestMessagesWaitForADeviceThatIsAway(t *testing.T) {
	ctx := servertest.Context(t, servertest.Limit)
	server := newSandbox(t, ctx)
	newAccounts(t, ctx, server)
	bob, carol := newDevice(t, ctx, server, bobPhone, "Bob"), newDevice(t, ctx, server, carolPhone, "Carol")
	connect(t, ctx, bob, carol)
	carol.Disconnect()
	const count = 5
	for i := range count {
		if _, err := bob.SendText(ctx, addressOf(carol), fmt.Sprintf("message %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	connect(t, ctx, carol)
	if _, err := carol.WaitMessage(ctx, fmt.Sprintf("message %d", count-1)); err != nil {
		t.Fatal(err)
	}
	for i, message := range carol.Messages() {
		if want := fmt.Sprintf("message %d", i); whatsapp.Text(message.Message) != want {
			t.Errorf("message %d is %q", i, whatsapp.Text(message.Message))
		}
	}
}

func TestDevicesComeBackAfterTheGatekeeperWasKilled(t *testing.T) {
	ctx := servertest.Context(t, servertest.Limit)
	server := newSandbox(t, ctx)
	newAccounts(t, ctx, server)
	bob, carol := newDevice(t, ctx, server, bobPhone, "Bob"), newDevice(t, ctx, server, carolPhone, "Carol")
	connect(t, ctx, bob, carol)
	server.Kill()
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := bob.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.SendText(ctx, addressOf(carol), "are you there?"); err != nil {
		t.Fatal(err)
	}
	if _, err := carol.WaitMessage(ctx, "are you there?"); err != nil {
		t.Error(err)
	}
}

func TestAReinstalledDeviceCanBeWrittenTo(t *testing.T) {
	ctx := servertest.Context(t, servertest.Limit)
	server := newSandbox(t, ctx)
	newAccounts(t, ctx, server)
	bob, carol := newDevice(t, ctx, server, bobPhone, "Bob"), newDevice(t, ctx, server, carolPhone, "Carol")
	connect(t, ctx, bob, carol)
	before, err := bob.SendText(ctx, addressOf(carol), "before")
	if err != nil {
		t.Fatal(err)
	}
	// With the receipt the message is out of the mailbox, else it would come again under keys that are gone.
	if err = bob.WaitReceipt(ctx, before, types.ReceiptTypeDelivered); err != nil {
		t.Fatal(err)
	}
	if err := carol.Reinstall(ctx); err != nil {
		t.Fatal(err)
	}
	connect(t, ctx, carol)
	if _, err := carol.SendText(ctx, addressOf(bob), "new phone"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.WaitMessage(ctx, "new phone"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.SendText(ctx, addressOf(carol), "after"); err != nil {
		t.Fatal(err)
	}
	if _, err := carol.WaitMessage(ctx, "after"); err != nil {
		t.Error(err)
	}
}

func TestASecondRootKeyIsRefused(t *testing.T) {
	ctx := servertest.Context(t, servertest.Limit)
	server := newSandbox(t, ctx)
	if err := waclient.Trust(server.RootKey()); err != nil {
		t.Errorf("the same root key again: %v", err)
	}
	if err := waclient.Trust(wire.NewKeyPair().Pub); !errors.Is(err, waclient.ErrOtherRoot) {
		t.Errorf("another root key: %v", err)
	}
}

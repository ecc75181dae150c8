package storetest

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

var holdTests = map[string]func(t *testing.T, store interop.Store){
	"RoundTrip":       testHold,
	"DevicesAreAlike": testHoldOfDevice,
}

func testHold(t *testing.T, store interop.Store) {
	ctx := context.Background()
	bob, carol := types.NewJID("4915112345678", types.DefaultUserServer), types.NewJID("4915112345678", types.HiddenUserServer)
	equal(t, "held at first", value[bool](t)(store.IsHeld(ctx, bob)), false)
	for _, held := range []bool{false, true, true, false} {
		must(t, store.SetHeld(ctx, bob, held))
		equal(t, "held", value[bool](t)(store.IsHeld(ctx, bob)), held)
		equal(t, "somebody else held", value[bool](t)(store.IsHeld(ctx, carol)), false)
	}
}

func testHoldOfDevice(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.SetHeld(ctx, phone.JID(), true))
	device := phone.JID()
	device.Device = 7
	equal(t, "held", value[bool](t)(store.IsHeld(ctx, device)), true)
	must(t, store.SetHeld(ctx, device, false))
	equal(t, "held", value[bool](t)(store.IsHeld(ctx, phone.JID())), false)
}

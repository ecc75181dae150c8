package interop

import (
	"context"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// fetchBundles asks for the prekeys of devices, with one request. Devices that the gatekeeper gives no usable keys for
// are missing in the answer; why is logged.
func (c *connection) fetchBundles(ctx context.Context, devices []types.JID) (map[types.JID]*preKeyBundle, error) {
	users := make([]waBinary.Node, len(devices))
	wanted := make(map[types.JID]bool, len(devices))
	for i, device := range devices {
		users[i] = waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": device}}
		wanted[device] = true
	}
	answer, err := c.ask(ctx, request{namespace: "encrypt", kind: "get", content: []waBinary.Node{{Tag: "key", Content: users}}})
	if err != nil {
		return nil, fmt.Errorf("failed to fetch prekeys: %w", err)
	}
	bundles := make(map[types.JID]*preKeyBundle, len(devices))
	for _, user := range children(child(answer, "list")) {
		device := jidAttr(&user, "jid")
		if !wanted[device] {
			continue // nobody asked
		}
		if refusal := child(&user, "error"); refusal != nil {
			c.run.log.Warn().Err(parseError(refusal)).Stringer("device", AddressOf(device)).Msg("No prekeys for the device")
			continue
		}
		bundle, err := parseBundle(&user)
		if err != nil {
			c.run.log.Warn().Err(err).Stringer("device", AddressOf(device)).Msg("Prekeys of the device are malformed")
			continue
		}
		bundles[device] = bundle
	}
	return bundles, nil
}

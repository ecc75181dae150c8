package interop

import (
	"context"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// Leave asks the gatekeeper to delete the enlistment and stops the client. After it the account's keys and state are of
// no use. If the gatekeeper cannot be asked, the client goes on; errors: ErrNotConnected, and those of the request.
func (c *Client) Leave(ctx context.Context) error {
	connection := c.connected()
	if connection == nil {
		return ErrNotConnected
	}
	connection.run.leaving.Store(true)
	if _, err := connection.ask(ctx, request{namespace: "interop", kind: "set", content: []waBinary.Node{{Tag: "delete"}}}); err != nil {
		connection.run.leaving.Store(false)
		return fmt.Errorf("failed to leave the gatekeeper: %w", err)
	}
	return c.Stop(ctx)
}

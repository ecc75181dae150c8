package connector

import "context"

// Asleep tells whether a push for that user would connect somebody.
func (n *Network) Asleep(ctx context.Context, gatekeeper, user string) bool {
	return n.asleep(ctx, gatekeeper, user) != nil
}

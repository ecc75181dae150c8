package bridge

import "context"

// Wake is what a push leads to.
func (n *Network) Wake(ctx context.Context, gatekeeper, user string) { n.wake(ctx, gatekeeper, user) }

// Asleep tells whether a push for that user would connect somebody.
func (n *Network) Asleep(ctx context.Context, gatekeeper, user string) bool {
	return n.asleep(ctx, gatekeeper, user) != nil
}

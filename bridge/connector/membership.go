package connector

import (
	"context"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/puppet"
)

// HandleMatrixMembership implements bridgev2.MembershipHandlingNetworkAPI: who joins the room of a request accepts it, who
// rejects the invitation or leaves declines it. Leaving a chat says nothing about the contact. The room's lock is held.
func (c *Client) HandleMatrixMembership(ctx context.Context, change *bridgev2.MatrixMembershipChange) (*bridgev2.MatrixMembershipResult, error) {
	if !change.Type.IsSelf || change.Event.Sender != c.login.UserMXID {
		return nil, bridgev2.ErrMembershipNotSupported
	} else if !c.IsLoggedIn() {
		return nil, nil
	}
	_, jid, err := contactJID(change.Portal.PortalKey)
	if err != nil {
		return nil, err
	}
	switch change.Type.To {
	case event.MembershipJoin:
		return nil, c.acceptRequest(ctx, jid)
	case event.MembershipLeave:
		changed, err := c.contacts().SetRequest(ctx, jid, puppet.Asks, puppet.Declined)
		if changed {
			c.settleSoon()
		}
		return nil, err
	default:
		return nil, nil
	}
}

// HandleMatrixAcceptMessageRequest implements bridgev2.MessageRequestAcceptingNetworkAPI, for clients with a button.
func (c *Client) HandleMatrixAcceptMessageRequest(ctx context.Context, msg *bridgev2.MatrixAcceptMessageRequest) error {
	if !c.IsLoggedIn() {
		return bridgev2.ErrNotLoggedIn
	}
	_, jid, err := contactJID(msg.Portal.PortalKey)
	if err != nil {
		return err
	}
	return c.acceptRequest(ctx, jid)
}

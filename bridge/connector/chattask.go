package connector

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"
)

// chatTask is work on a chat that bridgev2 does between events, with the chat's lock held: its fields may be read and
// written. It is not done if there is no room.
type chatTask struct {
	key  networkid.PortalKey
	work func(ctx context.Context, chat *bridgev2.Portal)
}

var _ bridgev2.RemotePreHandler = (*chatTask)(nil)

// GetType says that there is nothing else to handle.
func (t *chatTask) GetType() bridgev2.RemoteEventType               { return bridgev2.RemoteEventUnknown }
func (t *chatTask) GetPortalKey() networkid.PortalKey               { return t.key }
func (t *chatTask) GetSender() bridgev2.EventSender                 { return bridgev2.EventSender{} }
func (t *chatTask) AddLogContext(c zerolog.Context) zerolog.Context { return c }

// PreHandle implements bridgev2.RemotePreHandler.
func (t *chatTask) PreHandle(ctx context.Context, chat *bridgev2.Portal) { t.work(ctx, chat) }

// room returns the room of a chat, "" if there is none. It asks the database, which costs one look into an index: the
// field of bridgev2's object may be written at the same time.
func (c *Client) room(ctx context.Context, key networkid.PortalKey) (id.RoomID, error) {
	chat, err := c.network.bridge.DB.Portal.GetByKey(ctx, key)
	if err != nil {
		return "", fmt.Errorf("failed to load the chat: %w", err)
	} else if chat == nil {
		return "", nil
	}
	return chat.MXID, nil
}

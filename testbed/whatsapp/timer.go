package whatsapp

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// SetTimer tells the chat that messages disappear after so many seconds, 0 for never. WhatsApp offers a day, a week and 90
// days; this takes anything.
func (d *Device) SetTimer(ctx context.Context, chat types.JID, seconds uint32) (types.MessageID, error) {
	return d.Send(ctx, chat, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type:                      waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(),
		EphemeralExpiration:       proto.Uint32(seconds),
		EphemeralSettingTimestamp: proto.Int64(time.Now().Unix()),
	}})
}

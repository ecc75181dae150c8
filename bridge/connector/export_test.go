package connector

import (
	"context"
	"net/netip"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"

	"postern/interop"
)

// FetchPicture loads a picture that a gatekeeper named.
func FetchPicture(ctx context.Context, gatekeeper *interop.Gatekeeper, address string) ([]byte, error) {
	return newPictureLoader(NewHTTPClient()).fetch(ctx, gatekeeper, &interop.Picture{URL: address})
}

var (
	IsPrivate         func(netip.Addr) bool = isPrivate
	ErrPictureAddress                       = errPictureAddress
	ErrPrivateAddress                       = errPrivateAddress
)

// NoticeEdit returns what a notice changes in the parts of a message that are in the room; nil is nothing. instead is set
// for one that stands for the message.
func NoticeEdit(text string, instead bool, existing []*mxdatabase.Message) (*bridgev2.ConvertedEdit, error) {
	notice := &remoteMessage{id: "message", notice: text, replaces: instead}
	result, err := notice.HandleExisting(context.Background(), nil, nil, existing)
	if err != nil || len(result.SubEvents) == 0 {
		return nil, err
	}
	return result.SubEvents[0].(*remoteStep).edit, nil
}

package connector

import (
	"context"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
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

package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// maxIgnoredAnswer bounds the ignore list, in bytes: some ten thousand users.
const maxIgnoredAnswer = 1 << 20

// ErrNoPuppet: the bridge does not act in the user's name.
var ErrNoPuppet = errors.New("double puppeting is not set up")

// IgnoredUsers returns whom a user ignores in their Matrix account, in no order. It is read in the user's name, with their double
// puppet: nobody tells the bridge when it changes. Errors: [ErrNoPuppet], and those of the homeserver.
func (c *Connector) IgnoredUsers(ctx context.Context, puppet bridgev2.MatrixAPI) ([]id.UserID, error) {
	intent, ok := puppet.(*Intent)
	if !ok {
		return nil, ErrNoPuppet
	}
	client := intent.Matrix.Client
	data, err := client.MakeFullRequest(ctx, mautrix.FullRequest{
		Method:            http.MethodGet,
		URL:               client.BuildClientURL("v3", "user", client.UserID, "account_data", event.AccountDataIgnoredUserList.Type),
		ResponseSizeLimit: maxIgnoredAnswer,
	})
	if errors.Is(err, mautrix.MNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to read whom a user ignores: %w", err)
	}
	return ParseIgnored(data)
}

// ParseIgnored reads an ignore list.
func ParseIgnored(data []byte) ([]id.UserID, error) {
	var content struct {
		IgnoredUsers map[id.UserID]json.RawMessage `json:"ignored_users"`
	}
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, errors.New("failed to read whom a user ignores: not an ignore list")
	}
	users := make([]id.UserID, 0, len(content.IgnoredUsers))
	for user := range content.IgnoredUsers {
		users = append(users, user)
	}
	return users, nil
}

package homeserver

import (
	"context"
	"fmt"
	"net/http"
)

// Login makes a further device of a user.
func (s *Server) Login(ctx context.Context, account *Account) (*Account, error) {
	login := &Account{Password: account.Password}
	err := s.request(ctx, http.MethodPost, "/_matrix/client/v3/login", map[string]any{
		"type":       "m.login.password",
		"identifier": map[string]any{"type": "m.id.user", "user": account.UserID},
		"password":   account.Password,
	}, login)
	if err != nil {
		return nil, fmt.Errorf("failed to log %s in: %w", account.UserID, err)
	}
	return login, nil
}

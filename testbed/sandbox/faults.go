package sandbox

import (
	"context"
	"net/http"
)

// CorruptNext spoils the next ciphertext for an account.
func (s *Server) CorruptNext(ctx context.Context, account string) error {
	return s.ask(ctx, http.MethodPost, "/faults/corrupt", map[string]any{"account": account, "count": 1}, nil)
}

// RefuseLogins makes an account's next logins fail with the reason, such as 413 for an expired token.
func (s *Server) RefuseLogins(ctx context.Context, account string, code, times int) error {
	request := map[string]any{"account": account, "code": code, "times": times}
	return s.ask(ctx, http.MethodPost, "/faults/refuse-logins", request, nil)
}

// Drop cuts an account's connections without a word, as a broken network does.
func (s *Server) Drop(ctx context.Context, account string) error {
	return s.ask(ctx, http.MethodPost, "/faults/drop", map[string]any{"account": account}, nil)
}

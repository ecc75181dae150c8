package sandbox

import (
	"context"
	"net/http"
)

// CorruptNext spoils the next ciphertext for an account.
func (s *Server) CorruptNext(ctx context.Context, account string) error {
	return s.ask(ctx, http.MethodPost, "/faults/corrupt", map[string]any{"account": account, "count": 1}, nil)
}

// RefuseLogins makes the next logins of everyone fail with the reason, such as 413 for an expired token.
func (s *Server) RefuseLogins(ctx context.Context, code, times int) error {
	return s.ask(ctx, http.MethodPost, "/faults/refuse-logins", map[string]any{"code": code, "times": times}, nil)
}

// ExpireTokens makes the gatekeeper take every identity token for an expired one, or not.
func (s *Server) ExpireTokens(ctx context.Context, on bool) error {
	return s.ask(ctx, http.MethodPost, "/faults/expire-tokens", map[string]any{"on": on}, nil)
}

// Drop cuts an account's connections without a word, as a broken network does.
func (s *Server) Drop(ctx context.Context, account string) error {
	return s.ask(ctx, http.MethodPost, "/faults/drop", map[string]any{"account": account}, nil)
}

package sandbox

import (
	"context"
	"net/http"
)

// Push sends so many pushes for a user at once, whether something waits or not, and returns how many got which status; those without
// an answer are "failed". The name of nobody is sent as it stands.
func (s *Server) Push(ctx context.Context, name string, times int) (statuses map[string]int, err error) {
	var answer struct {
		Statuses map[string]int `json:"statuses"`
	}
	err = s.ask(ctx, http.MethodPost, "/push", map[string]any{"account": name, "times": times}, &answer)
	return answer.Statuses, err
}

// RotatePushKeys makes a new key that signs pushes from now on. The one before it stays published, unless it is to be dropped.
func (s *Server) RotatePushKeys(ctx context.Context, drop bool) error {
	return s.ask(ctx, http.MethodPost, "/faults/rotate-push-keys", map[string]any{"drop": drop}, nil)
}

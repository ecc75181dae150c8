package sandbox

import (
	"context"
	"net/http"
	"time"
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

// RefuseEnlistments makes the next enlistments fail with the reason.
func (s *Server) RefuseEnlistments(ctx context.Context, reason string, times int) error {
	return s.ask(ctx, http.MethodPost, "/faults/refuse-enlistments", map[string]any{"reason": reason, "times": times}, nil)
}

// Drop cuts an account's connections without a word, as a broken network does.
func (s *Server) Drop(ctx context.Context, account string) error {
	return s.ask(ctx, http.MethodPost, "/faults/drop", map[string]any{"account": account}, nil)
}

// DelayAcks makes the gatekeeper wait before it tells senders that it has their messages; 0 ends that. Acks that wait already
// go on waiting: [Server.Drop] forgets them.
func (s *Server) DelayAcks(ctx context.Context, delay time.Duration) error {
	return s.ask(ctx, http.MethodPost, "/faults/acks", map[string]any{"delay_ms": delay.Milliseconds()}, nil)
}

// MediaFault is what goes wrong with a partner's download of a file.
type MediaFault string

const (
	MediaNoFault   MediaFault = ""
	MediaTruncated MediaFault = "truncate"    // the connection ends in the middle
	MediaFlipped   MediaFault = "flip"        // one bit is not what it was
	MediaMissing   MediaFault = "missing"     // 404
	MediaLonger    MediaFault = "lie-longer"  // there is more than the message says
	MediaShorter   MediaFault = "lie-shorter" // there is less
	MediaSlow      MediaFault = "slow"        // nothing more comes after the first half, until another fault is set
	MediaError     MediaFault = "error"       // 503
)

// SpoilMedia makes partners' next downloads of files go wrong. WhatsApp's own clients are spared.
func (s *Server) SpoilMedia(ctx context.Context, fault MediaFault, times int) error {
	return s.ask(ctx, http.MethodPost, "/faults/media", map[string]any{"mode": fault, "times": times}, nil)
}

// ForgetMedia removes all files that were uploaded, as if they had expired, and returns how many it were.
func (s *Server) ForgetMedia(ctx context.Context) (int, error) {
	var answer struct {
		Files int `json:"files"`
	}
	err := s.ask(ctx, http.MethodDelete, "/media", nil, &answer)
	return answer.Files, err
}

// MoveClock sets the gatekeeper's clock apart from the system's, and lets it remove what is too old then.
func (s *Server) MoveClock(ctx context.Context, offset time.Duration) error {
	request := map[string]any{"offset_seconds": int64(offset / time.Second)}
	return s.ask(ctx, http.MethodPost, "/faults/clock", request, nil)
}

// Route is a part of the gatekeeper's HTTP interface whose answers can go wrong.
type Route string

const (
	RouteEnlist Route = "enlist"
	RouteKeys   Route = "keys" // that pushes are checked with
)

// AnswerFault is what goes wrong with an answer over HTTP.
type AnswerFault string

const (
	AnswerNoFault AnswerFault = ""
	AnswerError   AnswerFault = "error"   // 503
	AnswerSlow    AnswerFault = "slow"    // nothing comes until another fault is set for the route
	AnswerCut     AnswerFault = "cut"     // what is asked for is done, and the connection ends in the middle of the answer
	AnswerRubbish AnswerFault = "rubbish" // 200 with something else
)

// SpoilAnswers makes the next answers of a route go wrong.
func (s *Server) SpoilAnswers(ctx context.Context, route Route, fault AnswerFault, times int) error {
	request := map[string]any{"route": route, "mode": fault, "times": times}
	return s.ask(ctx, http.MethodPost, "/faults/http", request, nil)
}

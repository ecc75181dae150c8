package metrics

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// How the homeserver answered.
const (
	resultOK          = "ok"
	resultRefused     = "refused" // 4xx
	resultLimited     = "limited" // 429
	resultFailed      = "failed"  // 5xx
	resultUnreachable = "unreachable"
	resultCancelled   = "cancelled" // by us
)

var homeserverResults = []string{resultOK, resultRefused, resultLimited, resultFailed, resultUnreachable, resultCancelled}

// HomeserverRequest counts a request to the homeserver. answer is nil on an error. took is until the answer began.
func (m *Metrics) HomeserverRequest(request *http.Request, answer *http.Response, err error, took time.Duration) {
	if m == nil {
		return
	}
	m.homeserverRequests.WithLabelValues(homeserverResult(request, answer, err)).Inc()
	// A sync waits for news: how long it takes says nothing about the homeserver.
	if answer != nil && !strings.HasSuffix(request.URL.Path, "/sync") {
		m.homeserverSeconds.Observe(took.Seconds())
	}
}

func homeserverResult(request *http.Request, answer *http.Response, err error) string {
	switch {
	case errors.Is(err, context.Canceled) || err != nil && request.Context().Err() != nil:
		return resultCancelled
	case err != nil:
		return resultUnreachable
	case answer.StatusCode == http.StatusTooManyRequests:
		return resultLimited
	case answer.StatusCode >= 500:
		return resultFailed
	case answer.StatusCode >= 400:
		return resultRefused
	default:
		return resultOK
	}
}

package gatekeeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"postern/gatekeeper/state"
)

const (
	maxSaw     = 1000             // records in one answer
	maxSawWait = 60 * time.Second // of a long poll
)

// controlSaw returns what the gatekeeper saw after a place, waiting for something if there is nothing yet.
func (s *Server) controlSaw(r *http.Request) (any, error) {
	query := r.URL.Query()
	after, afterOK := queryNumber(query, "after", 0)
	limit, limitOK := queryNumber(query, "limit", maxSaw)
	wait, waitOK := queryNumber(query, "wait", 0)
	if !afterOK || !limitOK || !waitOK || limit == 0 {
		return nil, badRequest("after, limit and wait must be numbers")
	}
	deadline := time.NewTimer(min(time.Duration(min(wait, 3600))*time.Second, maxSawWait))
	defer deadline.Stop()
	for {
		change := s.state.NotedChange()
		records, err := s.state.Noted(r.Context(), after, int(min(limit, maxSaw)))
		if err != nil {
			return nil, err
		}
		answer := map[string]any{"saw": append([]state.Saw{}, records...)}
		if len(records) > 0 || wait == 0 {
			return answer, nil
		}
		select {
		case <-change:
		case <-deadline.C:
			return answer, nil
		case <-s.quit:
			return answer, nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func queryNumber(query url.Values, name string, fallback int64) (int64, bool) {
	if !query.Has(name) {
		return fallback, true
	}
	value, err := strconv.ParseInt(query.Get(name), 10, 64)
	return value, err == nil && value >= 0
}

// strictJSON decodes one JSON value without unknown keys and with nothing behind it.
func strictJSON(body []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

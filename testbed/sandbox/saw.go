package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const (
	// sawLimit is how many records one request asks for.
	sawLimit = 1000
	// sawWait is how many seconds one request waits for a record.
	sawWait = 20
)

// Record is what the gatekeeper noted of something that it saw. It never holds content.
type Record struct {
	Seq int64 `json:"seq"`
	// Time is in milliseconds since 1970.
	Time int64 `json:"time"`
	// Kind is the stanza's name and type, such as "message" or "receipt read".
	Kind string `json:"kind"`
	ID   string `json:"id"`
	From string `json:"from"`
	To   string `json:"to"`
	// Enc are the kinds of ciphertext, one for each receiving device.
	Enc []string `json:"enc"`
	// Size is that of the ciphertexts together, in bytes.
	Size int `json:"size"`
}

// Saw returns records after the number, at most a thousand. If there are none it waits a while for the first.
func (s *Server) Saw(ctx context.Context, after int64) ([]Record, error) {
	return s.saw(ctx, after, sawWait)
}

// SawSoFar is Saw without waiting.
func (s *Server) SawSoFar(ctx context.Context, after int64) ([]Record, error) {
	return s.saw(ctx, after, 0)
}

func (s *Server) saw(ctx context.Context, after int64, wait int) ([]Record, error) {
	query := url.Values{
		"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(sawLimit)}, "wait": {strconv.Itoa(wait)},
	}
	var answer struct {
		Saw []Record `json:"saw"`
	}
	err := s.ask(ctx, http.MethodGet, "/saw?"+query.Encode(), nil, &answer)
	return answer.Saw, err
}

// WaitSaw returns the first record after the number that matches, as soon as there is one. what names it in an error.
func (s *Server) WaitSaw(ctx context.Context, after int64, what string, match func(Record) bool) (*Record, error) {
	for {
		records, err := s.Saw(ctx, after)
		if err != nil {
			return nil, fmt.Errorf("failed to wait until the gatekeeper sees %s: %w", what, err)
		}
		for _, record := range records {
			if match(record) {
				return &record, nil
			}
			after = record.Seq
		}
	}
}

// WaitMessage returns what the gatekeeper noted of the message with the id, as soon as it has seen it.
func (s *Server) WaitMessage(ctx context.Context, id string) (*Record, error) {
	return s.WaitSaw(ctx, 0, "message "+id, func(record Record) bool { return record.Kind == "message" && record.ID == id })
}

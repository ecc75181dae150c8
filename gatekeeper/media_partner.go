package gatekeeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// errMediaSize is returned for a partner's file that is over the limit.
var errMediaSize = errors.New("the file is too large")

// newMediaClient makes what fetches files from partners. Redirects are not followed: a partner names one address.
func newMediaClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// servePartnerMedia answers GET /interop/{product}/download/{integrator}/{reference}/: a WhatsApp client wants a file that
// a partner's user sent. It is fetched from the partner and handed on as it comes; nothing is kept.
func (s *Server) servePartnerMedia(w http.ResponseWriter, r *http.Request) {
	integrator, reference, ok := partnersReference(r.URL.Path, s.config.Product)
	if !ok {
		s.refuseMedia(w, "partner download", "", http.StatusNotFound)
		return
	}
	for _, partner := range s.config.Partners {
		if partner.Integrator == integrator {
			s.relay(w, r, partner.mediaBase()+"/"+reference, reference)
			return
		}
	}
	s.refuseMedia(w, "partner download", reference, http.StatusNotFound)
}

// relay hands a partner's file on. A file that does not come is 404, a partner that fails is 502; if it fails in the middle,
// the connection is cut, so that the client does not take half a file for a whole one.
func (s *Server) relay(w http.ResponseWriter, r *http.Request, url, reference string) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stalled := time.AfterFunc(s.mediaLimits.stall, cancel)
	defer stalled.Stop()
	response, err := s.fetchMedia(ctx, r.Method, url)
	if err != nil {
		s.log.Warn().Err(err).Msg("Partner's media host failed")
		s.refuseMedia(w, "partner download", reference, http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone {
		s.refuseMedia(w, "partner download", reference, http.StatusNotFound)
		return
	}
	answer := s.patient(w)
	asFile(answer.Header())
	if response.ContentLength >= 0 {
		answer.Header().Set("Content-Length", strconv.FormatInt(response.ContentLength, 10))
	}
	answer.WriteHeader(http.StatusOK)
	err = copyMedia(answer, response.Body, s.mediaLimits.size, func() { stalled.Reset(s.mediaLimits.stall) })
	if err != nil {
		s.log.Warn().Err(err).Msg("Partner's file was not handed on")
		s.noteMedia("partner download", "cut", reference, answer.sent)
		panic(http.ErrAbortHandler)
	}
	answer.finish()
	s.noteMedia("partner download", "", reference, answer.sent)
}

// fetchMedia asks a partner for a file. The answer's status is 200, 404 or 410, and its length is within bounds if it is known.
func (s *Server) fetchMedia(ctx context.Context, method, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to make a request for media: %w", err)
	}
	response, err := s.mediaClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to fetch media: %w", err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		if response.ContentLength > s.mediaLimits.size {
			err = errMediaSize
		}
	case http.StatusNotFound, http.StatusGone:
	default:
		err = fmt.Errorf("failed to fetch media: status %d", response.StatusCode)
	}
	if err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	return response, nil
}

// copyMedia copies a file of at most so many bytes and calls alive before every piece.
func copyMedia(to io.Writer, from io.Reader, size int64, alive func()) error {
	limited := &io.LimitedReader{R: from, N: size + 1}
	_, err := io.Copy(to, aliveReader{limited, alive})
	if err == nil && limited.N == 0 {
		err = errMediaSize
	}
	return err
}

type aliveReader struct {
	io.Reader
	alive func()
}

func (r aliveReader) Read(p []byte) (int, error) {
	r.alive()
	return r.Reader.Read(p)
}

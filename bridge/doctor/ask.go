package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 256 << 10

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   []byte
	// tls is nil for plain HTTP.
	tls *tls.ConnectionState
	// off is how far the server's clock is ahead of ours, as well as that can be told; known is false if it did not say.
	off   time.Duration
	known bool
}

// newClient makes a client that goes on with no connection of before, so that every examination sees what is there now.
func (e *examination) newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.TLSClientConfig = &tls.Config{RootCAs: e.Roots, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Transport:     transport,
		Timeout:       askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask makes one request. body is sent as JSON if it is not nil.
func (e *examination) ask(ctx context.Context, method, target, token string, body any, headers ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("failed to encode a request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, fmt.Errorf("failed to make a request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	start := time.Now()
	response, err := e.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	took := time.Since(start)
	heard := &answer{status: response.StatusCode, header: response.Header, tls: response.TLS}
	if at, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		// The header has whole seconds, rounded down, and was written somewhere between question and answer.
		heard.off, heard.known = at.Add(time.Second/2).Sub(e.Now().Add(-took/2)), true
	}
	if heard.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err != nil {
		return nil, fmt.Errorf("failed to read an answer: %w", err)
	}
	return heard, nil
}

// matrixError is how a homeserver refuses.
type matrixError struct {
	Code    string `json:"errcode"`
	Message string `json:"error"`
	// Status is what the bridge answered to a ping.
	Status int `json:"status"`
}

// refusal returns the Matrix error of an answer, empty if it holds none.
func (a *answer) refusal() (refused matrixError) {
	if json.Unmarshal(a.body, &refused) != nil {
		return matrixError{}
	}
	return refused
}

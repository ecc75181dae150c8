package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"postern/testbed/process"
)

// maxAnswer bounds what is read of an answer: a list of a thousand accounts or records fits several times.
const maxAnswer = 16 << 20

// ErrControl is wrapped by errors about requests that the gatekeeper refused.
var ErrControl = errors.New("the gatekeeper's control API refused")

// ask sends a request to the control API. body is encoded as JSON, bytes as they are; into may be nil.
func (s *Server) ask(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader
	switch body := body.(type) {
	case nil:
	case []byte:
		content = bytes.NewReader(body)
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("failed to encode a request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+process.Loopback(s.controlPort)+path, content)
	if err != nil {
		return fmt.Errorf("failed to make a request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("failed to ask the gatekeeper: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("failed to read the gatekeeper's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s %s: status %d: %s", ErrControl, method, path, response.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

func accountPath(account string) string { return "/accounts/" + url.PathEscape(account) }

package connector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"

	"postern/bridge/connector"
	"postern/bridge/limits"
)

// FuzzProvisioningInput: whatever is sent is taken or refused with the right status, and what is taken is one JSON object of bounded
// size without anything unknown in it.
func FuzzProvisioningInput(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "{} ", "{}{}", "[]", "null", `{"confirm":true}`, `{"confirm":1}`, `{"declared":null}`, `{"declared":false,"gatekeeper":"whatsapp"}`,
		`{"room_id":"!a:b"}`, `{"room_id":"!a:b","event_id":"$c"}`, `{"room_id":"!a:b","room_id":""}`, `{"unknown":1}`, "\xff", `{"room_id":"\ud800"}`,
		strings.Repeat("[", 10001), `{"room_id":"` + strings.Repeat("x", connector.MaxProvisionBody) + `"}`, strings.Repeat(" ", connector.MaxProvisionBody+1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, status := range connector.ReadInputs(body) {
			switch {
			case status == http.StatusRequestEntityTooLarge && len(body) > connector.MaxProvisionBody, status == http.StatusBadRequest:
			case status != 0:
				t.Errorf("status %d", status)
			case len(body) > connector.MaxProvisionBody || !json.Valid([]byte(body)):
				t.Errorf("taken: %.100q", body)
			}
		}
	})
}

func TestErrorsOfTheProvisioningInterfaceHaveTheirStatus(t *testing.T) {
	now := time.Now()
	limited := &limits.Error{User: alice, Kind: limits.Reports, Limit: 1, Now: now, Until: now.Add(time.Hour)}
	for name, test := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"a limit":       {fmt.Errorf("wrapped: %w", limited), 429, "works again"},
		"too large":     {&http.MaxBytesError{}, 413, "larger"},
		"a sentence":    {fmt.Errorf("wrapped: %w", bridgev2.RespError(mautrix.MForbidden.WithMessage("No."))), 403, "No."},
		"anything else": {errors.New("secret detail"), 500, "the bridge has a problem"},
	} {
		answer, retryAfter := connector.ProvisionError(test.err)
		if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.says) || strings.Contains(answer.Body.String(), "secret") {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
		if (retryAfter > 0) != (test.status == 429) || retryAfter > int((24*time.Hour).Seconds())+1 {
			t.Errorf("%s: again after %d seconds", name, retryAfter)
		}
	}
}

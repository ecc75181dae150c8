package interop

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

const (
	enlistTimeout = 30 * time.Second
	// maxEnlistAnswer bounds the answer, in bytes. A real one has under 100.
	maxEnlistAnswer = 16 << 10
	// maxToken is the protocol's limit for a token, in bytes.
	maxToken = 4000
)

// errEnlistAnswer: the gatekeeper's answer makes no sense.
var errEnlistAnswer = errors.New("unexpected answer to the enlistment")

// Enlist makes the user known to the gatekeeper and returns the internal identifier that it assigns. httpClient may be
// nil. Enlisting the same user again is safe: with the same keys nothing changes, with others the enlistment gets them.
// Errors: an [*EnlistError] if the gatekeeper refuses; all others are worth another try.
func Enlist(ctx context.Context, httpClient *http.Client, gatekeeper *Gatekeeper, tokens TokenSource, userVisibleID string, keys Keys) (types.JID, error) {
	ctx, cancel := context.WithTimeout(ctx, enlistTimeout)
	defer cancel()
	token, err := tokens.Token(ctx, userVisibleID, gatekeeper.Audience)
	if err != nil {
		return types.JID{}, fmt.Errorf("failed to get an identity token: %w", err)
	} else if len(token) > maxToken {
		return types.JID{}, fmt.Errorf("identity token of %d bytes, limit %d", len(token), maxToken)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, gatekeeper.EnlistURL.String(),
		strings.NewReader(enlistForm(gatekeeper, &keys, token).Encode()))
	if err != nil {
		return types.JID{}, fmt.Errorf("failed to enlist: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if httpClient == nil {
		httpClient = http.DefaultClient
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return types.JID{}, fmt.Errorf("failed to enlist: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return types.JID{}, fmt.Errorf("%w: HTTP status %d", errEnlistAnswer, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxEnlistAnswer))
	if err != nil {
		return types.JID{}, fmt.Errorf("failed to enlist: %w", err)
	}
	return parseEnlistAnswer(body, gatekeeper.Integrator)
}

// enlistForm is the body of the request; see docs/protocol.md.
func enlistForm(gatekeeper *Gatekeeper, keys *Keys, token string) url.Values {
	encode := base64.RawURLEncoding.EncodeToString
	version := gatekeeper.ProtocolVersion
	return url.Values{
		"authkey":    {encode(keys.Noise.Pub[:])},
		"e_keytype":  {encode([]byte{djbType})},
		"e_regid":    {encode(binary.BigEndian.AppendUint32(nil, keys.RegistrationID))},
		"e_ident":    {encode(keys.Identity.Pub[:])},
		"e_skey_id":  {encode(preKeyID(keys.SignedPreKey.ID))},
		"e_skey_val": {encode(keys.SignedPreKey.Pub[:])},
		"e_skey_sig": {encode(keys.SignedPreKey.Signature[:])},
		"token":      {token},
		"version":    {fmt.Sprintf("%d.%d.%d", version[0], version[1], version[2])},
	}
}

// parseEnlistAnswer reads the gatekeeper's verdict.
func parseEnlistAnswer(body []byte, integrator uint16) (types.JID, error) {
	var answer struct {
		Status string `json:"status"`
		Login  string `json:"login"`
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return types.JID{}, fmt.Errorf("%w: not JSON", errEnlistAnswer)
	}
	switch answer.Status {
	case "ok":
		jid, err := wire.ParseJID(answer.Login)
		if err != nil {
			return types.JID{}, fmt.Errorf("%w: %w", errEnlistAnswer, err)
		} else if jid.Server != types.InteropServer || jid.Integrator != integrator || jid.Device != 0 || !isNumber(jid.User) {
			return types.JID{}, fmt.Errorf("%w: identifier is not an account of this partner", errEnlistAnswer)
		}
		return jid, nil
	case "fail":
		return types.JID{}, &EnlistError{Reason: cut(answer.Reason, maxErrorText)}
	default:
		return types.JID{}, fmt.Errorf("%w: unknown status", errEnlistAnswer)
	}
}

// isNumber tells whether text is a decimal number of at most 64 bits, as accounts are.
func isNumber(text string) bool {
	if len(text) == 0 || len(text) > 19 {
		return false
	}
	for _, r := range text {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

package homeserver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	// registerPath is Synapse's admin API for registration with a shared secret; Dendrite has copied it.
	registerPath = "/_synapse/admin/v1/register"
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 64 << 10
)

// ErrRegister is wrapped by errors about a refused registration or login.
var ErrRegister = errors.New("homeserver refused")

// Account is a registered user with a first login.
type Account struct {
	UserID      string `json:"user_id"`
	AccessToken string `json:"access_token"`
	DeviceID    string `json:"device_id"`
	Password    string `json:"-"`
}

// CreateUser registers a user and logs it in.
func (s *Server) CreateUser(ctx context.Context, localpart, password string) (*Account, error) {
	var challenge struct {
		Nonce string `json:"nonce"`
	}
	if err := s.request(ctx, http.MethodGet, registerPath, nil, &challenge); err != nil {
		return nil, fmt.Errorf("failed to get a nonce for %s: %w", localpart, err)
	}
	mac := hmac.New(sha1.New, []byte(s.sharedSecret))
	mac.Write([]byte(strings.Join([]string{challenge.Nonce, localpart, password, "notadmin"}, "\x00")))
	account := &Account{Password: password}
	err := s.request(ctx, http.MethodPost, registerPath, map[string]any{
		"nonce":    challenge.Nonce,
		"username": localpart,
		"password": password,
		"admin":    false,
		"mac":      hex.EncodeToString(mac.Sum(nil)),
	}, account)
	if err != nil {
		return nil, fmt.Errorf("failed to register %s: %w", localpart, err)
	}
	return account, nil
}

func (s *Server) request(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.URL()+path, content)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d: %s", ErrRegister, response.StatusCode, answer)
	}
	return json.Unmarshal(answer, into)
}

package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	askTimeout = 10 * time.Second
	// maxHealth bounds an answer, in bytes.
	maxHealth = 64 << 10
)

// Ask asks the bridge that listens at an address of the config how it is: at ReadyPath or LivePath. It is an error if there is no
// answer.
func Ask(ctx context.Context, listen, path string) (*Health, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost" // it listens on all addresses
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is this machine
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the bridge does not answer, it is not running or still opens its database: %w", err)
	}
	defer response.Body.Close()
	var health Health
	if err = json.NewDecoder(io.LimitReader(response.Body, maxHealth)).Decode(&health); err != nil {
		return nil, fmt.Errorf("what answers at admin.listen is not the bridge (HTTP status %d)", response.StatusCode)
	}
	return &health, nil
}

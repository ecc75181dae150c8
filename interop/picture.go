package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// maxPicture bounds a downloaded picture, in bytes. WhatsApp's own are under 200 KiB.
const maxPicture = 4 << 20

// Picture is a contact's profile picture.
type Picture struct {
	// ID changes with the picture.
	ID  string
	URL string
}

// Picture returns where the contact's picture is, or nil if there is none or it is not shown to us.
// Errors: ErrNotConnected, and those of the request.
func (c *Client) Picture(ctx context.Context, contact types.JID) (*Picture, error) {
	connection := c.connected()
	if connection == nil {
		return nil, ErrNotConnected
	}
	answer, err := connection.ask(ctx, request{
		namespace: "w:profile:picture", kind: "get",
		attrs:   waBinary.Attrs{"target": contact.ToNonAD()},
		content: []waBinary.Node{{Tag: "picture", Attrs: waBinary.Attrs{"type": "image", "query": "url"}}},
	})
	var refusal *StanzaError
	if errors.As(err, &refusal) && (refusal.Code == 404 || refusal.Code == 401 || refusal.Code == 403) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to ask for a picture: %w", err)
	}
	node := child(answer, "picture")
	picture := &Picture{ID: attr(node, "id"), URL: attr(node, "url")}
	if picture.ID == "" || picture.URL == "" {
		return nil, nil
	}
	return picture, nil
}

// DownloadPicture fetches the file, which is what the gatekeeper serves: not yet known to be a picture.
func (c *Client) DownloadPicture(ctx context.Context, picture *Picture) ([]byte, error) {
	location, err := url.Parse(picture.URL)
	if err != nil || location.Scheme != "https" && location.Scheme != "http" {
		return nil, errors.New("failed to download a picture: not a web address")
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, picture.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to download a picture: %w", err)
	}
	response, err := c.options.HTTPClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to download a picture: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("failed to download a picture: HTTP status %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxPicture+1))
	if err != nil {
		return nil, fmt.Errorf("failed to download a picture: %w", err)
	} else if len(data) > maxPicture {
		return nil, fmt.Errorf("failed to download a picture: %w: over %d bytes", ErrTooLarge, maxPicture)
	}
	return data, nil
}

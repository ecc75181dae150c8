package bridge

import (
	"context"
	"net/http"
	"net/netip"

	"postern/interop"
)

// NewInteropHTTPClient is the client that talks to gatekeepers.
func NewInteropHTTPClient() *http.Client { return newInteropHTTPClient() }

// FetchPicture loads a picture that a gatekeeper named.
func FetchPicture(ctx context.Context, gatekeeper *interop.Gatekeeper, address string) ([]byte, error) {
	return newPictureLoader(newInteropHTTPClient()).fetch(ctx, gatekeeper, &interop.Picture{URL: address})
}

var (
	IsPrivate         func(netip.Addr) bool = isPrivate
	ErrPictureAddress                       = errPictureAddress
	ErrPrivateAddress                       = errPrivateAddress
)

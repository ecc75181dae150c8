package interop

import (
	"context"
	"net/http"

	"go.mau.fi/whatsmeow/types"
)

// Enlist makes the user known to the gatekeeper and returns the internal identifier that it assigns. httpClient may be
// nil. Enlisting the same user again is safe: with the same keys nothing changes, with others the enlistment gets them.
// Errors: an [*EnlistError] if the gatekeeper refuses; all others are worth another try.
func Enlist(ctx context.Context, httpClient *http.Client, gatekeeper *Gatekeeper, tokens TokenSource, userVisibleID string, keys Keys) (types.JID, error) {
	panic("being written")
}

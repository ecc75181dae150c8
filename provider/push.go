package provider

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// PushPath is where a gatekeeper says that something waits for a user, below the issuer's URL.
const PushPath = "/push"

// maxPushBody bounds a push, in bytes. A Matrix ID has 255 at most, of which JSON may make six times as many.
const maxPushBody = 4 << 10

// Pusher is a gatekeeper that may wake users.
type Pusher struct {
	// Gatekeeper is what [Options].Wake is told.
	Gatekeeper string
	// Issuer is the iss claim of its tokens, such as WHATSAPP. Each issuer is there once.
	Issuer string
	// KeysURL is where its public keys are, http or https.
	KeysURL string
}

// servePush takes a push. Who has no good token learns nothing but that, and who has one is answered the same whoever is
// meant. A push that is sent again wakes again, which changes nothing for a user who is connected, so replays are harmless.
func (p *Provider) servePush(w http.ResponseWriter, r *http.Request) {
	gatekeeper, err := p.pushes.verify(r.Context(), r.Header.Values("Authorization"))
	switch {
	case errors.Is(err, errKeysAway):
		w.Header().Set("Retry-After", strconv.Itoa(int(remoteKeysRetry/time.Second)))
		answer(w, http.StatusServiceUnavailable)
		return
	case err != nil:
		p.log.Debug().Err(err).Msg("Push refused")
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPushBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		answer(w, http.StatusRequestEntityTooLarge)
		return
	}
	user, ok := parsePush(body)
	if err != nil || !ok {
		answer(w, http.StatusBadRequest)
		return
	}
	if p.checkUser(user) == nil && !p.waker.add(wakeUp{gatekeeper, user}) {
		p.log.Warn().Str("gatekeeper", gatekeeper).Msg("Too many users are to be woken, a push was refused")
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// parsePush reads {"to":"<user-visible identifier>"}. More members may come with later versions.
func parsePush(body []byte) (user string, ok bool) {
	var push struct {
		To *string `json:"to"`
	}
	if err := json.Unmarshal(body, &push); err != nil || push.To == nil {
		return "", false
	}
	return *push.To, true
}

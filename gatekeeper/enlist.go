package gatekeeper

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/gatekeeper/token"
	"postern/interop/wire"
)

// maxEnlistBody bounds the enlistment form, in bytes: the token's 4 kB, the keys, and escapes.
const maxEnlistBody = 16 << 10

// enlister answers POST /3p/interop_reg. Both success and refusal are HTTP 200, as in the reference offer.
type enlister struct {
	state    *state.State
	verifier *token.Verifier
	minimum  Version
	now      func() int64 // unix seconds
	// changed is called after an account that existed got new keys.
	changed func(ctx context.Context, account types.JID) error
	note    func(record state.Saw)
	// refusal is the reason that the control API wants an enlistment to be refused with, "" for none.
	refusal func() string
	// storing is held while an account is looked for and stored, so that one subject never gets two.
	storing sync.Mutex
}

type enlistAnswer struct {
	Status string `json:"status"`
	Login  string `json:"login,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func (e *enlister) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	log := zerolog.Ctx(r.Context())
	r.Body = http.MaxBytesReader(w, r.Body, maxEnlistBody)
	answer := enlistAnswer{Status: "fail", Reason: reasonBadRequest}
	if err := r.ParseForm(); err == nil {
		account, reason := e.enlist(r.Context(), r.PostForm)
		if reason == "" {
			answer = enlistAnswer{Status: "ok", Login: wire.FormatJID(account)}
		} else {
			answer.Reason = reason
		}
	}
	e.note(state.Saw{Kind: spaced("enlist", answer.Reason), From: answer.Login})
	log.Info().Str("status", answer.Status).Str("login", answer.Login).Str("reason", answer.Reason).Msg("Enlistment")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// enlist checks a request and stores the account. The same subject gets its old number and its new keys.
func (e *enlister) enlist(ctx context.Context, form map[string][]string) (login types.JID, reason string) {
	request, reason := parseEnlistForm(form)
	if reason != "" {
		return login, reason
	} else if request.version.Less(e.minimum) {
		return login, reasonOldVersion
	}
	integrator, subject, reason := e.subject(ctx, request.token)
	if reason != "" {
		return login, reason
	}
	e.storing.Lock()
	defer e.storing.Unlock()
	if reason = e.refusal(); reason != "" {
		return login, reason
	}
	account, err := e.state.AccountByUserVisibleID(ctx, integrator, subject)
	isNew := errors.Is(err, state.ErrUnknown)
	if isNew {
		account = &state.Account{JID: state.NewInteropJID(integrator), UserVisibleID: subject, Name: subject, LastLogin: e.now()}
		err = e.state.AddAccount(ctx, account)
	}
	if err == nil {
		request.device.JID = interopDevice(account.JID)
		err = e.replaceDevice(ctx, &request.device, isNew)
	}
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to store an enlistment")
		return login, reasonUnavailable
	}
	return account.JID, ""
}

// replaceDevice stores the device; contacts hear of an identity that is not the old one.
func (e *enlister) replaceDevice(ctx context.Context, device *state.Device, isNew bool) error {
	old, err := e.state.Device(ctx, device.JID)
	if err != nil && !errors.Is(err, state.ErrUnknown) {
		return err
	}
	if old != nil && string(old.Identity) == string(device.Identity) && old.Noise == device.Noise {
		return e.state.RotateSignedPreKey(ctx, device) // a repeated request: the mailbox stays
	}
	if err = e.state.AddDevice(ctx, device, true); err != nil || isNew {
		return err
	}
	return e.changed(ctx, device.JID)
}

// subject finds out whose token it is. The form does not name the integrator, so the token's own claim tells which
// partner's keys to check it with.
func (e *enlister) subject(ctx context.Context, text string) (integrator uint16, subject, reason string) {
	integrator, err := token.Integrator(text)
	if err == nil {
		subject, err = e.verifier.Verify(ctx, text, integrator)
	}
	switch {
	case err == nil:
		return integrator, subject, ""
	case errors.Is(err, token.ErrUnknownPartner):
		return 0, "", reasonBadIntegrator
	case errors.Is(err, token.ErrKeysUnavailable):
		zerolog.Ctx(ctx).Warn().Err(err).Uint16("integrator", integrator).Msg("Partner's keys are not available")
		return 0, "", reasonUnavailable
	default:
		zerolog.Ctx(ctx).Info().Err(err).Uint16("integrator", integrator).Msg("Identity token refused")
		return 0, "", reasonBadToken
	}
}

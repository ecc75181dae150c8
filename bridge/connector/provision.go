package connector

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/rs/zerolog"
	"go.mau.fi/util/exhttp"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"

	"postern/bridge/limits"
)

// The provisioning interface has every command of users, for Matrix clients and other tools, beside what bridgev2 offers there, such
// as enlisting and beginning chats. docs/openapi-provisioning.yaml describes it. homeserver.Connector checks who asks.

// maxProvisionBody bounds the body of a request, in bytes.
const maxProvisionBody = 16 << 10

// provisioning are the requests that need all of the network.
type provisioning struct{ *Network }

// provisionHandler does what a user asks for and returns what is answered as JSON with status 200. Errors that people may read have
// a status of their own; see provisionError.
type provisionHandler func(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error)

// AddProvisioning is homeserver.Options.Provision.
func (n *Network) AddProvisioning(router *http.ServeMux, userOf func(*http.Request) *bridgev2.User) {
	for pattern, handle := range (provisioning{n}).routes() {
		router.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxProvisionBody)
			answer, err := handle(r.Context(), userOf(r), r)
			if err != nil {
				refuseProvisioning(w, r, err)
				return
			}
			exhttp.WriteJSONResponse(w, http.StatusOK, answer)
		})
	}
}

// refuseProvisioning writes an error. What people must not read is logged.
func refuseProvisioning(w http.ResponseWriter, r *http.Request, err error) {
	refused, retryAfter := provisionError(err)
	if refused.StatusCode == http.StatusInternalServerError {
		zerolog.Ctx(r.Context()).Err(err).Msg("Failed to do what a user asked for")
	}
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	refused.Write(w)
}

// provisionError says what is answered for an error, and after how many seconds to ask again, 0 if that is not known.
func provisionError(err error) (mautrix.RespError, int) {
	var limited *limits.Error
	var tooLarge *http.MaxBytesError
	var refused bridgev2.RespError
	var why refusal
	switch {
	case errors.As(err, &why):
		return mautrix.RespError{ErrCode: "ORG.POSTERN.REFUSED", Err: string(why), StatusCode: http.StatusConflict}, 0
	case errors.As(err, &limited):
		return mautrix.MLimitExceeded.WithMessage("%s", limited.Sentence()), int(limited.Until.Sub(limited.Now).Seconds()) + 1
	case errors.As(err, &tooLarge):
		return mautrix.MTooLarge.WithMessage("The request is larger than %d bytes", maxProvisionBody), 0
	case errors.As(err, &refused):
		return mautrix.RespError(refused), 0
	default:
		return mautrix.MUnknown.WithMessage("%s", TextBridgeProblem), 0
	}
}

// readInput reads the body of a request into a struct: one JSON object with no other fields than the struct has.
func readInput(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); err == nil {
			err = errMoreInput
		} else if errors.Is(err, io.EOF) {
			return nil
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return bridgev2.RespError(mautrix.MBadJSON.WithMessage("The body is not the JSON object that is expected"))
}

var errMoreInput = errors.New("more than one JSON value")

// badInput refuses what is well-formed but not usable.
func badInput(sentence string) error {
	return bridgev2.RespError(mautrix.MInvalidParam.WithMessage("%s", sentence))
}

// notFound refuses what is about something that is not there.
func notFound(sentence string) error {
	return bridgev2.RespError(mautrix.MNotFound.WithMessage("%s", sentence))
}

// done is the answer to what needs no other.
type done struct {
	Message string `json:"message"`
}

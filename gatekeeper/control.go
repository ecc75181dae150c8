package gatekeeper

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"postern/gatekeeper/phone/page"
	"postern/gatekeeper/state"
)

// maxControlBody bounds a request to the control API, in bytes; pictures have a bound of their own.
const maxControlBody = 64 << 10

// controlError is an answer of the control API that is not 200.
type controlError struct {
	status int
	text   string
}

func (e *controlError) Error() string { return e.text }

func badRequest(text string) error { return &controlError{http.StatusBadRequest, text} }

// controlVerb handles one request. What it returns is the JSON of the answer.
type controlVerb func(r *http.Request) (any, error)

// controlHandler is the control API. The package's documentation describes it. Pages of other sites in a browser on this
// machine cannot use it.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	for pattern, verb := range map[string]controlVerb{
		"GET /info":                                   s.controlInfo,
		"POST /accounts":                              s.controlCreateAccount,
		"GET /accounts/{account}":                     s.controlGetAccount,
		"PATCH /accounts/{account}":                   s.controlChangeAccount,
		"DELETE /accounts/{account}":                  s.controlForgetAccount,
		"POST /accounts/{account}/phone":              s.controlOpenPhone,
		"POST /accounts/{account}/devices":            s.controlAddDevice,
		"DELETE /accounts/{account}/devices/{number}": s.controlRemoveDevice,
		"PUT /accounts/{account}/picture":             s.controlSetPicture,
		"DELETE /accounts/{account}/picture":          s.controlRemovePicture,
		"GET /accounts/{account}/pings":               s.controlPings,
		"GET /interop":                                s.controlListInterop,
		"GET /saw":                                    s.controlSaw,
		"POST /faults/drop":                           s.controlDrop,
		"POST /faults/stream-error":                   s.controlStreamError,
		"POST /faults/refuse-logins":                  s.controlRefuseLogins,
		"POST /faults/refuse-enlistments":             s.controlRefuseEnlistments,
		"POST /faults/acks":                           s.controlAcks,
		"POST /faults/outage":                         s.controlOutage,
		"POST /faults/corrupt":                        s.controlCorrupt,
		"POST /faults/expire-tokens":                  s.controlExpireTokens,
		"POST /faults/clock":                          s.controlClock,
		"POST /faults/prekeys-low":                    s.controlPreKeysLow,
		"POST /faults/media":                          s.controlMediaFault,
		"POST /faults/http":                           s.controlHTTPFault,
		"POST /faults/rotate-push-keys":               s.controlRotatePushKeys,
		"DELETE /media":                               s.controlForgetMedia,
		"POST /push":                                  s.controlPush,
	} {
		mux.Handle(pattern, s.controlled(verb))
	}
	return page.LocalOnly(mux)
}

// controlled answers with what the verb returns, as JSON.
func (s *Server) controlled(verb controlVerb) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := verb(r)
		status := http.StatusOK
		if err != nil {
			var refusal *controlError
			switch {
			case errors.As(err, &refusal):
				status = refusal.status
			case errors.Is(err, state.ErrUnknown):
				status = http.StatusNotFound
			case errors.Is(err, state.ErrExists):
				status = http.StatusConflict
			default:
				s.log.Err(err).Str("verb", r.Pattern).Msg("Control request failed")
				status = http.StatusInternalServerError
			}
			answer = map[string]string{"error": err.Error()}
		} else if answer == nil {
			answer = struct{}{}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// readControl reads a request's JSON into v, whose zero value must be a valid request without options. Unknown keys are
// errors. An empty body leaves v as it is.
func readControl(r *http.Request, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxControlBody+1))
	if err != nil {
		return badRequest("body cannot be read")
	}
	return parseControl(body, v)
}

func parseControl(body []byte, v any) error {
	if len(body) > maxControlBody {
		return &controlError{http.StatusRequestEntityTooLarge, "body too large"}
	} else if len(body) == 0 {
		return nil
	}
	if err := strictJSON(body, v); err != nil {
		return badRequest("body is not the expected JSON: " + err.Error())
	}
	return nil
}

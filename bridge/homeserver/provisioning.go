package homeserver

import (
	"net/http"
	"strings"
	"time"

	"go.mau.fi/util/exhttp"
	"go.mau.fi/util/requestlog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

const provisioningPath = "/_matrix/provision/"

// guardProvisioning stands before mautrix' provisioning interface, which trusts the user_id of a request before it knows
// who asks: for the user of another server it would connect to whatever host that name says, holding a lock that all
// other users need. Only our own users may enlist, so nobody else is let through, and no token of the kind that another
// server vouches for.
func (s *transactionServer) guardProvisioning(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		answer := &requestlog.CountingResponseWriter{ResponseWriter: w, StatusCode: -1, ResponseLength: -1}
		switch {
		case r.Method == http.MethodOptions || s.mayProvision(r): // browsers ask without a token what they may ask
			next.ServeHTTP(answer, r)
		default:
			exhttp.AddCORSHeaders(answer)
			mautrix.MUnknownToken.WithMessage("Only users of %s can use this bridge", s.connector.AS.HomeserverDomain).Write(answer)
		}
		s.connector.Log.Info().Str("method", r.Method).Str("endpoint", endpoint(r.URL.Path)).
			Int("status_code", answer.StatusCode).Dur("duration", time.Since(start)).Msg("Answered a provisioning request")
	})
}

func (s *transactionServer) mayProvision(r *http.Request) bool {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if strings.HasPrefix(token, "openid:") {
		return false
	}
	_, server, err := id.UserID(r.URL.Query().Get("user_id")).Parse()
	return err == nil && server == s.connector.AS.HomeserverDomain
}

// endpoint is what the log says of a path: the version and the verb. What follows is whom the user looks for.
func endpoint(path string) string {
	shown := 2
	if strings.HasPrefix(path, provisioningPath+"postern/") {
		shown = 3 // with our own name
	}
	parts := strings.SplitN(strings.TrimPrefix(path, provisioningPath), "/", shown+1)
	return strings.Join(parts[:min(shown, len(parts))], "/")
}

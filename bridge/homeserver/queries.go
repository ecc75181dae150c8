package homeserver

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// QueriesPath is where the listener for the homeserver tells who has the hs_token of its [Queries], as JSON. Doctor makes a homeserver ask for
// a contact, and sees there whether the bridge was asked, and with which token.
const QueriesPath = "/_matrix/postern/v1/queries"

// Queries are questions of the homeserver for a user of the bridge's, since the start, by whether the hs_token was the right one.
type Queries struct {
	Accepted uint64 `json:"accepted"`
	Refused  uint64 `json:"refused"`
}

// refusalInterval is the least time between two lines of the log about a wrong hs_token.
const refusalInterval = time.Hour

// callers counts who asked with which token. Safe for concurrent use.
type callers struct {
	accepted, refused atomic.Uint64
	told              atomic.Int64 // when the log was told last of a wrong token, in Unix nanoseconds
}

// isHomeserver answers who has another token than the homeserver. A homeserver with a wrong one may have no ping that would show it.
func (s *transactionServer) isHomeserver(w http.ResponseWriter, r *http.Request) bool {
	if s.connector.AS.CheckServerToken(w, r) {
		return true
	}
	now, told := time.Now(), s.callers.told.Load()
	if now.Sub(time.Unix(0, told)) >= refusalInterval && s.callers.told.CompareAndSwap(told, now.UnixNano()) {
		s.connector.Log.Warn().Msg("A call without the right hs_token was refused. If the homeserver made it, none of its messages arrive: " +
			"compare hs_token in the config with the registration that the homeserver has, and restart both")
	}
	return false
}

func (s *transactionServer) userQuery(w http.ResponseWriter, r *http.Request) {
	if !s.isHomeserver(w, r) {
		s.callers.refused.Add(1)
		return
	}
	s.callers.accepted.Add(1)
	s.connector.AS.GetUser(w, r)
}

func (s *transactionServer) tellQueries(w http.ResponseWriter, r *http.Request) {
	if !s.connector.AS.CheckServerToken(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Queries{Accepted: s.callers.accepted.Load(), Refused: s.callers.refused.Load()})
}

package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"postern/bridge/config"
	"postern/bridge/metrics"
)

// readMetrics asks the running bridge what it counted. It stays nil where there is nothing to ask.
func (e *examination) readMetrics(ctx context.Context) {
	if e.Config.Admin.Listen == "" || !e.bridge.listens() {
		return
	}
	heard, err := e.ask(ctx, http.MethodGet, "http://"+dialable(e.Config.Admin.Listen)+"/metrics", "", nil)
	if err != nil || heard.status != http.StatusOK {
		return
	}
	e.reading, _ = metrics.Read(bytes.NewReader(heard.body)) // nil if it is no metrics
}

// channelReasons are why chat channels do not come up, the gravest first.
var channelReasons = []struct{ reason, text, remedy string }{
	{metrics.Outdated, "It refuses the protocol version as too old.", "Update Postern, then set protocol_version of this gatekeeper to what it wants."},
	{metrics.Untrusted, "Its chat server cannot prove with root_key that it is the right one.", "Compare root_key and chat_url with what the gatekeeper gave you. Do not change the key unless the gatekeeper says so."},
	{metrics.TokenRefused, "It does not believe the identity tokens.", "It has to be able to fetch the keys at public.url. Compare public.url and audience with what was agreed, and the clocks."},
	{metrics.Replaced, "Another program uses the same enlistments.", "Stop the other bridge for good: it runs on a copy of the database."},
}

// channelFindings says how the users' connections with a gatekeeper are doing.
func (e *examination) channelFindings(entry config.Gatekeeper) []Finding {
	const check = "gatekeeper.channels"
	if e.reading == nil {
		return nil
	}
	count := func(state string) uint64 {
		return e.reading.Connections[metrics.Pair{Gatekeeper: entry.ID, State: state}]
	}
	up, trying := count("connected"), count("connecting")
	text := fmt.Sprintf("Users who are connected with %s: %d, who try to be: %d.", entry.Name, up, trying)
	if trying <= up {
		return []Finding{fine(check, text)}
	}
	for _, why := range channelReasons {
		if e.reading.Disconnects[metrics.Pair{Gatekeeper: entry.ID, State: why.reason}] > 0 {
			return []Finding{fault(check, text+" "+why.text, why.remedy)}
		}
	}
	return []Finding{warning(check, text, "If the bridge has just started, wait. Otherwise look for other findings about the gatekeeper, and at the bridge's log.")}
}

// Limits of what is not alarming: a contact's new phone costs a message or two.
const (
	undecryptableFew   = 10
	undecryptableShare = 20 // one of so many
)

// undecryptableFindings says whether many messages of contacts cannot be decrypted.
func (e *examination) undecryptableFindings() (findings []Finding) {
	const check = "users.undecryptable"
	if e.reading == nil {
		return nil
	}
	for _, entry := range e.Config.Gatekeepers {
		failed, worked := e.reading.Undecryptable[entry.ID], e.reading.Delivered[entry.ID]
		if failed >= undecryptableFew && failed*undecryptableShare > worked+failed {
			findings = append(findings, warning(check, fmt.Sprintf("Of %d messages from %s since the bridge started, %d could not be decrypted.", worked+failed, entry.Name, failed),
				"Their senders' apps were asked to send them again. If it goes on: does a second bridge run on a copy of the database, or was a backup put in place without `postern restore`?"))
		}
	}
	if len(findings) == 0 {
		findings = append(findings, fine(check, "Messages of contacts can be decrypted."))
	}
	return findings
}

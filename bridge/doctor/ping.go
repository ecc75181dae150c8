package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

const (
	checkPing = "homeserver.ping"
	// reachRemedy is for a homeserver that finds nobody.
	reachRemedy = "appservice.address (url in the registration) has to lead to appservice.listen from where the homeserver runs: in a container, " +
		"localhost is the container itself. Correct both, copy the registration to the homeserver, restart it, and look at firewalls."
	tokenRemedy = "Compare hs_token in the config with the registration that the homeserver has, and restart the homeserver and the bridge."
)

// pingFinding lets the homeserver call the bridge. If the bridge does not run, we answer in its place, unless we are inside of it. asks tells of a
// homeserver without ping whether it is sure to ask the bridge for contacts.
func (e *examination) pingFinding(ctx context.Context, asks bool) Finding {
	var inPlace *standIn
	if !e.bridge.listens() {
		var err error
		if e.bridge == bridgeOther || e.Database != nil {
			return note(checkPing, "Whether the homeserver reaches the bridge could not be tried, since the bridge does not listen.", "")
		} else if inPlace, err = newStandIn(e.Config.Appservice.Listen, e.Config.Appservice.HSToken); err != nil {
			return fault(checkPing, fmt.Sprintf("Nobody can listen at %s (appservice.listen): %s.", e.Config.Appservice.Listen, causeOf(err)),
				"Write an address of this machine and a free port, or run doctor where the bridge runs.")
		}
		defer inPlace.close()
	}
	heard, err := e.ask(ctx, http.MethodPost, e.homeserverURL("/_matrix/client/v1/appservice/"+url.PathEscape(e.Config.Appservice.ID)+"/ping"),
		e.Config.Appservice.ASToken, map[string]string{"transaction_id": "doctor"})
	if err != nil {
		return fault(checkPing, "The homeserver was asked to call the bridge: "+causeOf(err)+".", "A firewall may swallow what it sends. "+reachRemedy)
	}
	if refused := heard.refusal(); heard.status != http.StatusOK {
		if refused.Code == "M_UNRECOGNIZED" || heard.status == http.StatusNotFound || heard.status == http.StatusMethodNotAllowed {
			return e.askedForContact(ctx, asks, inPlace)
		}
		return pingRefused(heard.status, refused)
	}
	var pong struct {
		Duration int64 `json:"duration_ms"`
	}
	_ = json.Unmarshal(heard.body, &pong) // then it is 0
	text := fmt.Sprintf("The homeserver reaches the bridge, in %d ms.", pong.Duration)
	if inPlace != nil && inPlace.accepted.Load() == 0 {
		return fault(checkPing, "The homeserver reaches another bridge: its ping did not come here.", reachRemedy)
	} else if inPlace != nil {
		text = fmt.Sprintf("The homeserver reaches this machine, in %d ms. Doctor answered in the place of the bridge, which does not run.", pong.Duration)
	}
	return fine(checkPing, text)
}

// pingRefused says what the homeserver met when it called.
func pingRefused(status int, refused matrixError) Finding {
	switch refused.Code {
	case "M_URL_NOT_SET":
		return fault(checkPing, "The registration that the homeserver has names no url, so it pushes nothing to the bridge.", "Copy registration.yaml to the homeserver again, and restart it.")
	case "M_CONNECTION_TIMEOUT":
		return fault(checkPing, "The homeserver cannot reach the bridge: nothing answers in time (M_CONNECTION_TIMEOUT).", "A firewall may swallow what it sends. "+reachRemedy)
	case "M_CONNECTION_FAILED":
		// Synapse says which of its exceptions it met, in front of a colon.
		if strings.HasPrefix(refused.Message, "AlreadyCalled:") {
			return fault(checkPing, "The homeserver cannot reach the bridge for a fault of its own: Synapse's HTTP client is stuck (AlreadyCalled).", "Restart Synapse.")
		}
		return fault(checkPing, "The homeserver cannot reach the bridge: the connection fails (M_CONNECTION_FAILED).", reachRemedy)
	case "M_BAD_STATUS":
		if refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden {
			return fault(checkPing, fmt.Sprintf("The bridge refuses the homeserver's hs_token (M_BAD_STATUS, %d).", refused.Status), tokenRemedy)
		}
		return fault(checkPing, fmt.Sprintf("What the homeserver reaches is not the bridge (M_BAD_STATUS, %d).", refused.Status), reachRemedy)
	case "M_FORBIDDEN":
		return fault(checkPing, "The as_token belongs to a registration with another id than appservice.id.",
			"Write the id of the registration that the homeserver has into appservice.id, or copy registration.yaml to it and restart it.")
	}
	return fault(checkPing, fmt.Sprintf("The homeserver did not call the bridge (status %d, %s).", status, errorCode(refused)), "Look at the homeserver's log.")
}

// askedForContact is for homeservers without ping, such as Dendrite: asked for the profile of a contact whom it does not know, it asks
// the bridge, and fails if it cannot.
func (e *examination) askedForContact(ctx context.Context, asks bool, inPlace *standIn) Finding {
	contact := id.NewUserID(strings.Replace(e.Config.Appservice.UsernameTemplate, "{{.}}", nobody, 1), e.Config.Homeserver.Domain)
	before := e.queries(ctx, inPlace)
	heard, err := e.ask(ctx, http.MethodGet, e.homeserverURL("/_matrix/client/v3/profile/"+url.PathEscape(contact.String())), e.Config.Appservice.ASToken, nil)
	after := e.queries(ctx, inPlace)
	counted := before != nil && after != nil
	const asked = "The homeserver has no ping. It was made to ask the bridge for a contact"
	switch {
	case counted && after.Accepted > before.Accepted && inPlace != nil:
		return fine(checkPing, asked+", and reaches this machine. Doctor answered in the place of the bridge, which does not run.")
	case counted && after.Accepted > before.Accepted:
		return fine(checkPing, asked+", and reaches it.")
	case counted && after.Refused > before.Refused:
		return fault(checkPing, asked+", which refuses its hs_token: it has another one than the config.", tokenRemedy)
	case err != nil:
		return fault(checkPing, asked+": "+causeOf(err)+".", "A firewall may swallow what it sends. "+reachRemedy)
	case heard.status >= http.StatusInternalServerError:
		return fault(checkPing, asked+", and cannot reach it.", reachRemedy)
	case counted && asks:
		return fault(checkPing, asked+", and that did not come here: it reaches something else.", reachRemedy)
	}
	return note(checkPing, "The homeserver has no ping, so whether it reaches the bridge could not be tried.", "")
}

// queries is how often the bridge, or who stands in for it, was asked for a user, nil if that is not known.
func (e *examination) queries(ctx context.Context, inPlace *standIn) *homeserver.Queries {
	if inPlace != nil {
		return &homeserver.Queries{Accepted: inPlace.accepted.Load(), Refused: inPlace.refused.Load()}
	}
	heard, err := e.ask(ctx, http.MethodGet, "http://"+dialable(e.Config.Appservice.Listen)+homeserver.QueriesPath, e.Config.Appservice.HSToken, nil)
	var told homeserver.Queries
	if err != nil || heard.status != http.StatusOK || json.Unmarshal(heard.body, &told) != nil {
		return nil
	}
	return &told
}

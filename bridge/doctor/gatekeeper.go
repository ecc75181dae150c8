package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"postern/bridge/config"
)

// gatekeepers asks all of them side by side, without enlisting anybody.
func (e *examination) gatekeepers(ctx context.Context) []Finding {
	results := make([][]Finding, len(e.Config.Gatekeepers))
	var asking sync.WaitGroup
	for i, gatekeeper := range e.Config.Gatekeepers {
		asking.Go(func() { results[i] = e.gatekeeper(ctx, gatekeeper) })
	}
	asking.Wait()
	return slices.Concat(results...)
}

func (e *examination) gatekeeper(ctx context.Context, entry config.Gatekeeper) (findings []Finding) {
	var clock *answer
	for _, door := range []struct{ check, key, what, address string }{
		{"gatekeeper.enlist", "enlist_url", "enlistment server", entry.EnlistURL},
		{"gatekeeper.chat", "chat_url", "chat server", entry.ChatURL},
		{"gatekeeper.media", "media_url", "media host", entry.MediaURL},
	} {
		finding, heard := e.doorFinding(ctx, entry, door.check, door.key, door.what, door.address)
		findings = append(findings, finding)
		if heard != nil && heard.known && clock == nil {
			clock = heard
		}
	}
	if clock != nil {
		findings = append(findings, clockFinding("gatekeeper.clock", entry.Name+"'s", clock.off))
	}
	findings = append(findings, e.channelFindings(entry)...)
	if entry.PushIssuer != "" {
		findings = append(findings, e.pushKeysFinding(ctx, entry))
	} else {
		findings = append(findings, note("gatekeeper.push_keys", entry.Name+" cannot wake users, since push_issuer and push_keys_url are not set.", ""))
	}
	return findings
}

// doorFinding asks for what nobody gives. Any answer but one of a proxy in front shows that somebody is there.
func (e *examination) doorFinding(ctx context.Context, entry config.Gatekeeper, check, key, what, address string) (Finding, *answer) {
	remedy := "Correct gatekeepers[]." + key + " of " + entry.ID + ", and look at name resolution, firewall and proxy of this machine."
	target, err := url.Parse(address)
	if err != nil {
		return fault(check, entry.Name+"'s "+what+" has no valid address.", remedy), nil
	}
	target.Scheme = strings.Replace(target.Scheme, "ws", "http", 1)
	heard, err := e.ask(ctx, http.MethodGet, target.String(), "", nil)
	where := fmt.Sprintf("%s (%s of %s)", target.Host, key, entry.ID)
	switch {
	case err != nil:
		return fault(check, fmt.Sprintf("%s's %s cannot be reached at %s: %s.", entry.Name, what, where, causeOf(err)), remedy), nil
	case heard.status >= http.StatusInternalServerError:
		return fault(check, fmt.Sprintf("%s's %s does not work: %s answers with status %d.", entry.Name, what, where, heard.status),
			"Wait, since messages do. If it stays so, ask the gatekeeper."), heard
	case target.Scheme == "http" && !isLoopback(target.Hostname()):
		return warning(check, fmt.Sprintf("%s is reached without TLS at %s, so others can read who uses it.", entry.Name, where), "Write the address with https:// or wss://."), heard
	}
	return fine(check, fmt.Sprintf("%s answers at %s.", entry.Name, where)), heard
}

func (e *examination) pushKeysFinding(ctx context.Context, entry config.Gatekeeper) Finding {
	const check = "gatekeeper.push_keys"
	remedy := "Correct gatekeepers[].push_keys_url of " + entry.ID + ". Pushes are refused without these keys."
	heard, err := e.ask(ctx, http.MethodGet, entry.PushKeysURL, "", nil)
	var set jose.JSONWebKeySet
	switch {
	case err != nil:
		return fault(check, "The keys of "+entry.Name+"'s pushes cannot be fetched: "+causeOf(err)+".", remedy)
	case heard.status != http.StatusOK:
		return fault(check, fmt.Sprintf("The keys of %s's pushes cannot be fetched: status %d.", entry.Name, heard.status), remedy)
	case json.Unmarshal(heard.body, &set) != nil || len(set.Keys) == 0:
		return fault(check, "At the address of the keys of "+entry.Name+"'s pushes are no keys.", remedy)
	}
	return fine(check, "The keys of "+entry.Name+"'s pushes can be fetched.")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

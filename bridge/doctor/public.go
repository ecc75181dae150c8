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
	"time"

	"github.com/go-jose/go-jose/v4"

	"postern/provider"
)

const (
	// certificateNear is when a certificate's end is near: programs that renew them do it some weeks before.
	certificateNear = 14 * 24 * time.Hour

	proxyRemedy = "Let the reverse proxy lead the whole of public.url to public.listen, with its method, body and headers; see docs/install.md."
)

// publicAddress fetches what gatekeepers fetch, from where they fetch it.
func (e *examination) publicAddress(ctx context.Context) []Finding {
	findings := e.mediaStore(ctx)
	base, err := url.Parse(e.Config.Public.URL)
	if err != nil {
		return append(findings, fault("public.reachable", "public.url is not a URL.", "Correct it."))
	}
	heard, err := e.ask(ctx, http.MethodGet, e.publicURL(provider.JWKSPath), "", nil)
	if err != nil {
		return append(findings, e.publicFailure(ctx, base, err))
	}
	if base.Scheme == "https" {
		findings = append(findings, e.certificateFinding(heard))
	} else if !isLoopback(base.Hostname()) {
		findings = append(findings, warning("public.certificate", "public.url is without TLS. Gatekeepers want https.", "Put a reverse proxy with a certificate in front, see docs/install.md."))
	}
	if !e.bridge.listens() {
		return append(findings, note("public.keys", "Keys, pushes and files were not looked at, since the bridge does not run.", "Start the bridge, and run doctor again."))
	}
	keys := e.keysFinding(ctx, heard)
	if findings = append(findings, keys); keys.Status == Fault {
		return findings // the rest would fail for the same reason
	}
	return append(findings, e.pushFinding(ctx), e.mediaFinding(ctx), e.rangeFinding(ctx))
}

func (e *examination) publicURL(path string) string {
	return strings.TrimRight(e.Config.Public.URL, "/") + path
}

// publicFailure says why there is no answer, and on which side of the proxy.
func (e *examination) publicFailure(ctx context.Context, base *url.URL, err error) Finding {
	if cause := certificateCause(err); cause != "" {
		remedy := "Renew or replace the certificate of " + base.Hostname() + " in the reverse proxy. Let it send the certificates in between, too (the full chain)."
		return fault("public.certificate", "Gatekeepers would refuse the certificate of public.url: "+cause+".", remedy)
	}
	if _, port, _ := net.SplitHostPort(e.Config.Public.Listen); base.Scheme == "http" && base.Port() == port && !e.bridge.listens() {
		// There is no proxy that could be to blame.
		return note("public.reachable", "The public address was not looked at, since the bridge does not run.", "Start the bridge, and run doctor again.")
	}
	return fault("public.reachable", fmt.Sprintf("public.url (%s) cannot be reached: %s.", base.Host, causeOf(err)),
		e.partnerServer(ctx)+"Look at the name, the reverse proxy and the firewall. If only this machine cannot reach its own public address, try from another one.")
}

// partnerServer says where to look first: before or behind the proxy.
func (e *examination) partnerServer(ctx context.Context) string {
	heard, err := e.ask(ctx, http.MethodGet, "http://"+dialable(e.Config.Public.Listen)+provider.JWKSPath, "", nil)
	if err == nil && heard.status == http.StatusOK {
		return "At public.listen (" + e.Config.Public.Listen + ") the keys can be fetched, so the way there is to be mended. "
	}
	return ""
}

func (e *examination) certificateFinding(heard *answer) Finding {
	const check = "public.certificate"
	ends := heard.tls.PeerCertificates[0].NotAfter
	left := ends.Sub(e.Now())
	text := fmt.Sprintf("The certificate of public.url is good until %s.", ends.UTC().Format(time.DateOnly))
	if left < certificateNear {
		return warning(check, text+fmt.Sprintf(" These are %d days.", int(left.Hours()/24)), "Renew it, and find out why that did not happen by itself.")
	}
	return fine(check, text)
}

// keysFinding compares the keys that gatekeepers get with those that sign.
func (e *examination) keysFinding(ctx context.Context, heard *answer) Finding {
	const check = "public.keys"
	var set jose.JSONWebKeySet
	switch {
	case heard.status == http.StatusTooManyRequests:
		return fault(check, "The partner server says that there are too many requests (429).",
			"Others may send too many. If all seem to come from one: the reverse proxy has to write X-Forwarded-For, and its address has to be in public.trusted_proxies.")
	case heard.status >= 300 && heard.status < 400:
		return fault(check, fmt.Sprintf("public.url redirects to another address (%d), which gatekeepers need not follow.", heard.status), "Write the final address into public.url, as the gatekeeper knows it. "+proxyRemedy)
	case heard.status == http.StatusBadGateway, heard.status == http.StatusServiceUnavailable, heard.status == http.StatusGatewayTimeout:
		return fault(check, fmt.Sprintf("The reverse proxy does not reach the partner server (%d).", heard.status), e.partnerServer(ctx)+proxyRemedy)
	case heard.status != http.StatusOK || json.Unmarshal(heard.body, &set) != nil || len(set.Keys) == 0:
		return fault(check, fmt.Sprintf("Below public.url are no keys (status %d), so gatekeepers believe no identity token.", heard.status), e.partnerServer(ctx)+proxyRemedy)
	}
	if e.store.ours == nil {
		return fine(check, "Below public.url are keys. Whether they are the right ones could not be told.")
	}
	for _, key := range e.keys {
		if key.State != provider.KeyRetired && len(set.Key(key.ID)) == 0 {
			return fault(check, "Below public.url are other keys than those that sign identity tokens.",
				"If it leads to another bridge: correct the reverse proxy. If the proxy keeps old answers: it must not keep them for longer than they say (15 minutes). Otherwise restart the bridge.")
		}
	}
	if foreign := slices.ContainsFunc(set.Keys, func(key jose.JSONWebKey) bool { return !e.hasKey(key.KeyID) }); foreign {
		return warning(check, "Below public.url is a key that is not in the database (any more).", "If that stays so for an hour: does the reverse proxy keep old answers, or do two bridges share the address?")
	}
	return fine(check, "Gatekeepers get the keys that sign identity tokens.")
}

func (e *examination) hasKey(id string) bool {
	return slices.ContainsFunc(e.keys, func(key provider.StoredKey) bool { return key.ID == id })
}

// pushFinding sends a push without proof, which has to be refused by the bridge and not on the way.
func (e *examination) pushFinding(ctx context.Context) Finding {
	const check = "public.push"
	heard, err := e.ask(ctx, http.MethodPost, e.publicURL(provider.PushPath), "", map[string]string{"to": ""})
	want, pushes := http.StatusNotFound, false
	for _, gatekeeper := range e.Config.Gatekeepers {
		if gatekeeper.PushIssuer != "" {
			want, pushes = http.StatusUnauthorized, true
		}
	}
	switch {
	case err != nil:
		return fault(check, "A push does not reach the bridge: "+causeOf(err)+".", proxyRemedy)
	case heard.status != want || !isPartnerServer(heard):
		return fault(check, fmt.Sprintf("A push does not reach the bridge: something on the way answers with status %d.", heard.status), proxyRemedy)
	case !pushes:
		return fine(check, "Pushes reach the bridge. It takes none, since no gatekeeper has a push_issuer.")
	}
	return fine(check, "Pushes reach the bridge, which refuses those without proof.")
}

// mediaFinding asks for a file that there is not.
func (e *examination) mediaFinding(ctx context.Context) Finding {
	const check = "public.media"
	heard, err := e.ask(ctx, http.MethodGet, e.publicURL(provider.MediaPath)+unknownReference().String(), "", nil)
	switch {
	case err != nil:
		return fault(check, "Requests for your users' files do not reach the bridge: "+causeOf(err)+".", proxyRemedy)
	case heard.status != http.StatusNotFound || !isPartnerServer(heard):
		return fault(check, fmt.Sprintf("Requests for your users' files do not reach the bridge: something on the way answers with status %d.", heard.status), proxyRemedy)
	}
	return fine(check, "Requests for your users' files reach the bridge.")
}

// isPartnerServer tells a refusal of ours from that of a proxy: see the handler of package provider.
func isPartnerServer(heard *answer) bool {
	return heard.header.Get("X-Content-Type-Options") == "nosniff" && heard.header.Get("Cache-Control") == "no-store" &&
		string(heard.body) == http.StatusText(heard.status)+"\n"
}

// rangeFinding asks for one byte of a file that is there.
func (e *examination) rangeFinding(ctx context.Context) Finding {
	const check = "public.ranges"
	reference, ok := e.hostedFile()
	if !ok {
		return note(check, "Whether parts of files can be fetched was not tried, since no file of a user is in a folder here.", "")
	}
	heard, err := e.ask(ctx, http.MethodGet, e.publicURL(provider.MediaPath)+reference.String(), "", nil, "Range", "bytes=0-0")
	switch {
	case err != nil:
		return fault(check, "A user's file cannot be fetched: "+causeOf(err)+".", proxyRemedy)
	case heard.status == http.StatusOK:
		return fault(check, "The reverse proxy does not let gatekeepers ask for a part of a file (Range).", "Turn its buffering and compression off for this address. "+proxyRemedy)
	case heard.status == http.StatusPartialContent && len(heard.body) == 1:
		return fine(check, "Parts of files can be fetched.")
	}
	return fault(check, fmt.Sprintf("A user's file cannot be fetched: status %d.", heard.status), "Look at the log of the bridge and of the reverse proxy.")
}

package contract_test

import (
	"slices"
	"testing"

	"postern/docs"
	"postern/gatekeeper"
)

// sides are the two servers, and partner servers in other states.
type sides struct {
	partner, broken, busy *partner
	gatekeeper            *sandbox
}

// TestBothServersKeepToTheDocument makes everything happen that the document describes.
func TestBothServersKeepToTheDocument(t *testing.T) {
	document := loadDocument(t, docs.OpenAPI)
	asPartner := func() *witness { return newWitness(t, document, "partner server") }
	front, brokenFront, busyFront := asPartner(), asPartner(), asPartner()
	host := newWitness(t, document, "gatekeeper")
	keysURL := host.URL + "/.well-known/jwks"
	s := &sides{
		gatekeeper: openSandbox(t, host,
			gatekeeper.Partner{Integrator: integrator, Issuer: front.URL, Audience: audience},
			gatekeeper.Partner{Integrator: integrator + 1, Issuer: brokenFront.URL, Audience: audience}),
		partner: openPartner(t, front, keysURL, 1000),
		broken:  openPartner(t, brokenFront, "http://127.0.0.1:1/", 1000),
		busy:    openPartner(t, busyFront, keysURL, 1),
	}
	s.broken.broken.Store(true)
	t.Run("keys", s.testKeys)
	t.Run("push", s.testPush)
	t.Run("files of partners", s.testPartnerFiles)
	t.Run("too many requests", s.testTooMany)
	t.Run("strangers", s.testStrangers)
	t.Run("enlistment", s.testEnlistment)
	t.Run("chat channel", s.testChat)
	t.Run("files of the gatekeeper", s.testGatekeeperFiles)
	t.Run("pictures", s.testPictures)
	if missing := document.unseen(); !t.Failed() && len(missing) > 0 {
		slices.Sort(missing)
		t.Errorf("documented, and seen of no server: %q", missing)
	}
}

package token_test

import (
	"testing"

	"postern/gatekeeper/token"
)

func FuzzIntegrator(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.eyJpbnRlZ3JhdG9yIjo3fQ.AAAA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := token.Integrator(text); err == nil && len(text) > token.MaxToken {
			t.Fatal("token over the limit was read")
		}
	})
}

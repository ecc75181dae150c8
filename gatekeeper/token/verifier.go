// Package token checks partners' identity tokens the way a gatekeeper does: signed with RS256 by a key that the partner
// server publishes at /.well-known/oauth/openid/jwks, for this audience, and valid now.
package token

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// MaxToken is the longest token taken, in bytes: "up to 4 kB" in the reference offer.
	MaxToken = 4096
	// leeway is how far the partner's clock may be off.
	leeway = 30 * time.Second
	// maxLifetime bounds what a partner may ask us to trust: tokens are minutes long.
	maxLifetime = time.Hour
	// minKeyBits is the smallest RSA modulus taken; RFC 7518 asks for 2048 with RS256.
	minKeyBits = 2048
)

var (
	ErrInvalid         = errors.New("identity token is not valid")
	ErrExpired         = errors.New("identity token has expired")
	ErrUnknownPartner  = errors.New("no partner with this integrator number")
	ErrKeysUnavailable = errors.New("partner's keys cannot be fetched")
)

// Partner is a service with an agreement.
type Partner struct {
	Integrator uint16
	// Issuer is the partner server's public URL without a slash at the end; its keys are published under it.
	Issuer string
	// Audience is what the partner's tokens must be issued to.
	Audience string
}

// Verifier checks tokens and caches the partners' keys. Safe for concurrent use.
type Verifier struct {
	http *http.Client
	now  func() time.Time

	mu       sync.Mutex
	partners map[uint16]*partnerKeys
}

// NewVerifier returns a verifier for these partners. now is the clock that tokens are checked against.
func NewVerifier(partners []Partner, client *http.Client, now func() time.Time) *Verifier {
	v := &Verifier{http: client, now: now, partners: make(map[uint16]*partnerKeys, len(partners))}
	for _, partner := range partners {
		v.partners[partner.Integrator] = &partnerKeys{Partner: partner}
	}
	return v
}

// claims are what we read from a token besides the registered ones.
type claims struct {
	jwt.Claims
	Integrator uint16 `json:"integrator"`
}

// Verify returns the subject of a valid token, the partner's user-visible identifier. The error is one of this package's
// and never holds the token.
func (v *Verifier) Verify(ctx context.Context, token string, integrator uint16) (subject string, err error) {
	v.mu.Lock()
	partner, known := v.partners[integrator]
	v.mu.Unlock()
	if !known {
		return "", ErrUnknownPartner
	} else if len(token) > MaxToken {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrInvalid, MaxToken)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return "", fmt.Errorf("%w: not a token signed with RS256", ErrInvalid)
	} else if len(parsed.Headers) != 1 || parsed.Headers[0].KeyID == "" {
		return "", fmt.Errorf("%w: names no key", ErrInvalid)
	}
	key, err := v.key(ctx, partner, parsed.Headers[0].KeyID)
	if err != nil {
		return "", err
	}
	var c claims
	if err = parsed.Claims(key, &c); err != nil {
		return "", fmt.Errorf("%w: signature does not match", ErrInvalid)
	}
	return c.Subject, c.check(partner.Partner, v.now())
}

func (c *claims) check(partner Partner, now time.Time) error {
	err := c.ValidateWithLeeway(jwt.Expected{Issuer: partner.Issuer, AnyAudience: jwt.Audience{partner.Audience}, Time: now}, leeway)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return ErrExpired
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return fmt.Errorf("%w: from the future; the partner's clock is wrong", ErrInvalid)
	case err != nil:
		return fmt.Errorf("%w: wrong issuer or audience", ErrInvalid)
	case c.Subject == "":
		return fmt.Errorf("%w: has no subject", ErrInvalid)
	case c.Expiry == nil || c.IssuedAt == nil || c.Expiry.Time().Sub(c.IssuedAt.Time()) > maxLifetime:
		return fmt.Errorf("%w: must live at most %s", ErrInvalid, maxLifetime)
	case c.Integrator != partner.Integrator:
		return fmt.Errorf("%w: is for another integrator", ErrInvalid)
	}
	return nil
}

// usable returns the RSA key of a published JWK, or nil if it is not one that signs tokens.
func usable(jwk *jose.JSONWebKey) *rsa.PublicKey {
	key, ok := jwk.Key.(*rsa.PublicKey)
	if !ok || jwk.KeyID == "" || key.Size()*8 < minKeyBits || (jwk.Use != "" && jwk.Use != "sig") ||
		(jwk.Algorithm != "" && jwk.Algorithm != string(jose.RS256)) {
		return nil
	}
	return key
}

// Integrator returns the integrator that an unchecked token claims to be for, to know whom to check it against.
func Integrator(token string) (uint16, error) {
	if len(token) > MaxToken {
		return 0, fmt.Errorf("%w: longer than %d bytes", ErrInvalid, MaxToken)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return 0, fmt.Errorf("%w: not a token signed with RS256", ErrInvalid)
	}
	var c claims
	if err = parsed.UnsafeClaimsWithoutVerification(&c); err != nil {
		return 0, fmt.Errorf("%w: claims cannot be read", ErrInvalid)
	}
	return c.Integrator, nil
}

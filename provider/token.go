package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// TokenLifetime is how long a token is good for. It is used at once, for one enlistment or login.
	TokenLifetime = 5 * time.Minute
	// tokenLeeway is how far a gatekeeper's clock may be behind ours.
	tokenLeeway = time.Minute
	// maxUserID is the length limit of a Matrix ID in bytes, from the Matrix specification.
	maxUserID = 255
	// maxNameLength bounds issuer and audience, in bytes, so that a token stays well under the 4 kB that a gatekeeper
	// takes: three such strings in base64, a signature and 400 bytes of fixed parts.
	maxNameLength = 512
)

var (
	// ErrForeignUser: the user is of another homeserver, whose operator needs an agreement of their own.
	ErrForeignUser = errors.New("only users of this homeserver can get an identity token")
	// ErrInvalidUser: not a Matrix ID.
	ErrInvalidUser = errors.New("not a Matrix ID")
	// ErrUnknownAudience: none of the configured gatekeepers.
	ErrUnknownAudience = errors.New("no gatekeeper with this audience is configured")
)

// claims are what a token says. See docs/protocol.md, "The token". jwt.Claims is not used because it writes a single
// audience as a list.
type claims struct {
	Issuer     string           `json:"iss"`
	Subject    string           `json:"sub"`
	Audience   string           `json:"aud"`
	IssuedAt   *jwt.NumericDate `json:"iat"`
	NotBefore  *jwt.NumericDate `json:"nbf"`
	Expiry     *jwt.NumericDate `json:"exp"`
	ID         string           `json:"jti"`
	Integrator uint16           `json:"integrator"`
}

func newSigner(key signingKey) (jose.Signer, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("failed to make a signer: %w", err)
	}
	return signer, nil
}

// Token returns a fresh token that proves to the audience that its bearer is userID now. It costs one RSA signature, and
// once a minute a query of the key store. The caller has made sure that the bearer is that user.
//
// Errors: [ErrForeignUser], [ErrInvalidUser], [ErrUnknownAudience], [ErrStaleKeys], or that of ctx if it has ended.
func (p *Provider) Token(ctx context.Context, userID, audience string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := p.checkUser(userID); err != nil {
		return "", err
	}
	integrator, ok := p.integrators[audience]
	if !ok {
		return "", ErrUnknownAudience
	}
	keys, err := p.keys.get(ctx)
	if err != nil {
		return "", err
	}
	now := p.now()
	token, err := jwt.Signed(keys.signer).Claims(claims{
		Issuer:     p.issuer,
		Subject:    userID,
		Audience:   audience,
		IssuedAt:   jwt.NewNumericDate(now),
		NotBefore:  jwt.NewNumericDate(now.Add(-tokenLeeway)),
		Expiry:     jwt.NewNumericDate(now.Add(TokenLifetime)),
		ID:         rand.Text(),
		Integrator: integrator,
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("failed to sign an identity token: %w", err)
	}
	return token, nil
}

// checkUser accepts "@localpart:domain" of our domain, with the printable ASCII that the Matrix specification has allowed
// in a localpart at any time.
func (p *Provider) checkUser(userID string) error {
	localpart, domain, ok := strings.Cut(userID, ":")
	if !ok || len(userID) > maxUserID || len(localpart) < 2 || localpart[0] != '@' || domain == "" {
		return ErrInvalidUser
	}
	for i := range len(userID) {
		if userID[i] <= ' ' || userID[i] > '~' {
			return ErrInvalidUser
		}
	}
	if domain != p.domain {
		return ErrForeignUser
	}
	return nil
}

package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rs/zerolog"
)

const (
	// pushLifetime is how long a gatekeeper's token is good for at most: the public documents say one hour.
	pushLifetime = time.Hour
	// pushLeeway is how far the clocks may be apart.
	pushLeeway = time.Minute
	// maxPushToken bounds a token, in bytes. With a key of 4096 bits it has about 1 KiB.
	maxPushToken = 4 << 10
	// maxKeyID bounds the name of a key, in bytes.
	maxKeyID = 256
)

// errBadPush: the push does not come from a gatekeeper, as far as we can tell. The text around it is for the log only.
var errBadPush = errors.New("no valid push token")

// pushSource is a pusher with its keys.
type pushSource struct {
	gatekeeper string
	keys       *remoteKeys
}

// pushVerifier tells the gatekeepers' pushes from those of others. It is safe for concurrent use.
type pushVerifier struct {
	audience string
	sources  map[string]pushSource // by issuer
	now      func() time.Time
}

func newPushVerifier(
	audience string, pushers []Pusher, transport http.RoundTripper, now func() time.Time, log zerolog.Logger,
) (*pushVerifier, error) {
	v := &pushVerifier{audience: audience, sources: make(map[string]pushSource, len(pushers)), now: now}
	for _, pusher := range pushers {
		if pusher.Gatekeeper == "" || pusher.Issuer == "" {
			return nil, fmt.Errorf("%w: a pusher needs a gatekeeper and an issuer", ErrBadOptions)
		}
		if _, twice := v.sources[pusher.Issuer]; twice {
			return nil, fmt.Errorf("%w: the issuer of pushes %q is there twice", ErrBadOptions, pusher.Issuer)
		}
		address, err := url.Parse(pusher.KeysURL)
		if err != nil || address.Host == "" || address.Scheme != "https" && address.Scheme != "http" {
			return nil, fmt.Errorf("%w: the keys of pushes must be at a URL like https://gatekeeper.example.com/jwks", ErrBadOptions)
		}
		keys := newRemoteKeys(address, transport, now, log.With().Str("gatekeeper", pusher.Gatekeeper).Logger())
		v.sources[pusher.Issuer] = pushSource{gatekeeper: pusher.Gatekeeper, keys: keys}
	}
	return v, nil
}

// verify returns the gatekeeper that made the token. The token must be signed with RS256 by a key that this gatekeeper publishes
// now, be made out to us, and be good for an hour at most. Keys that stand in the token itself count nothing.
// Errors: errBadPush, or errKeysAway if the gatekeeper's keys cannot be had.
func (v *pushVerifier) verify(ctx context.Context, authorization []string) (gatekeeper string, err error) {
	if len(authorization) != 1 {
		return "", fmt.Errorf("%w: %d Authorization headers", errBadPush, len(authorization))
	}
	scheme, text, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || len(text) > maxPushToken {
		return "", fmt.Errorf("%w: not a bearer token, or a large one", errBadPush)
	}
	// The list is what keeps "none" out, and HS256 with the public key as its secret.
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(token.Headers) != 1 {
		return "", fmt.Errorf("%w: not a JWT signed with RS256", errBadPush)
	}
	// The issuer is not proven yet. It only says whose keys may prove it.
	var claims jwt.Claims
	if err = token.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return "", fmt.Errorf("%w: unreadable claims", errBadPush)
	}
	source, known := v.sources[claims.Issuer]
	kid := token.Headers[0].KeyID
	if !known || kid == "" || len(kid) > maxKeyID {
		return "", fmt.Errorf("%w: unknown issuer, or no key is named", errBadPush)
	}
	key, err := source.keys.find(ctx, kid)
	if err != nil {
		return "", err
	}
	claims = jwt.Claims{}
	if err = token.Claims(key, &claims); err != nil {
		return "", fmt.Errorf("%w: wrong signature", errBadPush)
	}
	return source.gatekeeper, v.checkClaims(&claims)
}

func (v *pushVerifier) checkClaims(claims *jwt.Claims) error {
	if !slices.ContainsFunc(claims.Audience, func(audience string) bool { return strings.TrimRight(audience, "/") == v.audience }) {
		return fmt.Errorf("%w: made out to someone else", errBadPush)
	}
	now := v.now()
	if claims.Expiry == nil || claims.Expiry.Time().After(now.Add(pushLifetime+pushLeeway)) {
		return fmt.Errorf("%w: good for more than an hour", errBadPush)
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Time: now}, pushLeeway); err != nil {
		return fmt.Errorf("%w: %w", errBadPush, err)
	}
	return nil
}

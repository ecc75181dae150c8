package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Audience is one gatekeeper that tokens are issued to.
type Audience struct {
	// Name is the token's aud claim.
	Name string
	// Integrator is the number that this gatekeeper gave to the partner.
	Integrator uint16
}

// Options are what a partner server is made of. Those without a default, and those not of media,
// pushes and proxies, must be set.
type Options struct {
	// Issuer is the partner server's public URL, http or https. It is the iss claim, without a slash at the end. If it
	// has a path, the reverse proxy in front has to take that off.
	Issuer string
	// Domain is the homeserver's name. Only its users get tokens: each homeserver's operator has an agreement of their own.
	Domain string
	// Audiences are the configured gatekeepers, each name once.
	Audiences []Audience
	Keys      KeyStore
	// Media keeps the files that the gatekeepers' media hosts fetch. Without it no files are hosted.
	Media MediaStore
	// MaxMedia is the size of the largest encrypted file that is hosted, in bytes. It must be set if Media is.
	MaxMedia int64
	// MediaRetention is how long files are kept. Default [DefaultMediaRetention].
	MediaRetention time.Duration
	// MediaPerOwner and MediaInAll are how many bytes of one owner, and of all, may wait at the same time; 0 is no limit. A
	// file of MaxMedia must fit.
	MediaPerOwner, MediaInAll int64
	// MediaKey keeps secret whose a file is. It must be set if Media is, and stay the same.
	MediaKey [MediaKeySize]byte
	// Pushers are the gatekeepers that may wake users. Those of others are refused; without any there is no push.
	Pushers []Pusher
	// Wake is called by Serve when something waits for a user at a gatekeeper, for one user at a time. The user is a Matrix
	// ID of Domain, and need not exist or be enlisted. It must be set if Pushers is.
	Wake func(ctx context.Context, gatekeeper, user string)
	// PushKeys fetches the keys of Pushers. Default: plain HTTP, through the proxy that the environment names.
	PushKeys http.RoundTripper
	// TrustedProxies are the addresses of reverse proxies, whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// AddressRate and TotalRate are how many requests a second are served, of one address and in all; ten times as many may
	// come at once. Defaults: [DefaultAddressRate], [DefaultTotalRate].
	AddressRate, TotalRate int
	Log                    zerolog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Observe is told of every request that was answered: what it was for (jwks, media, push, limited or unknown), and the HTTP status.
	// nil without.
	Observe func(route string, status int)
}

// ErrBadOptions: New cannot work with its options. The text around it says which.
var ErrBadOptions = errors.New("partner server is not configured right")

// Provider is the partner server. It is safe for concurrent use.
type Provider struct {
	issuer         string
	domain         string
	integrators    map[string]uint16 // by audience
	keys           *keyKeeper
	media          MediaStore // or nil
	stock          *mediaStock
	maxMedia       int64
	mediaRetention time.Duration
	pushes         *pushVerifier // or nil
	waker          *waker
	limits         *requestLimits
	unknownProxies *unknownProxies
	log            zerolog.Logger
	now            func() time.Time
	observe        func(route string, status int) // or nil
}

// New reads the signing keys, and makes the first one if there is none, which takes a tenth of a second or so.
// Errors: [ErrBadOptions], [ErrBadKey], or what the store returned.
func New(ctx context.Context, options Options) (*Provider, error) {
	p := &Provider{
		issuer:         strings.TrimRight(options.Issuer, "/"),
		domain:         options.Domain,
		integrators:    make(map[string]uint16, len(options.Audiences)),
		media:          options.Media,
		stock:          newMediaStock(options),
		maxMedia:       options.MaxMedia,
		mediaRetention: cmp.Or(options.MediaRetention, DefaultMediaRetention),
		waker:          newWaker(options.Wake),
		log:            options.Log,
		now:            options.Now,
		observe:        options.Observe,
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.limits = newRequestLimits(options.TrustedProxies, cmp.Or(options.AddressRate, DefaultAddressRate),
		cmp.Or(options.TotalRate, DefaultTotalRate), p.now)
	p.unknownProxies = &unknownProxies{limits: p.limits, now: p.now, log: p.log}
	if err := p.setUp(options); err != nil {
		return nil, err
	}
	var err error
	if p.keys, err = newKeyKeeper(ctx, options.Keys, p.now, p.log); err != nil {
		return nil, err
	}
	return p, nil
}

// setUp checks the options and takes the audiences over.
func (p *Provider) setUp(options Options) error {
	issuer, err := url.Parse(p.issuer)
	if err != nil || issuer.Host == "" || (issuer.Scheme != "https" && issuer.Scheme != "http") ||
		issuer.RawQuery != "" || issuer.Fragment != "" || issuer.User != nil || len(p.issuer) > maxNameLength {
		return fmt.Errorf("%w: the public URL must be like https://partner.example.org", ErrBadOptions)
	}
	if p.domain == "" {
		return fmt.Errorf("%w: the homeserver's domain is missing", ErrBadOptions)
	}
	if options.Keys == nil {
		return fmt.Errorf("%w: there is no store for the signing keys", ErrBadOptions)
	}
	if err = p.checkMedia(options); err != nil {
		return err
	}
	for _, audience := range options.Audiences {
		if audience.Name == "" || len(audience.Name) > maxNameLength {
			return fmt.Errorf("%w: an audience must have 1 to %d bytes", ErrBadOptions, maxNameLength)
		}
		if _, twice := p.integrators[audience.Name]; twice {
			return fmt.Errorf("%w: the audience %q is there twice", ErrBadOptions, audience.Name)
		}
		p.integrators[audience.Name] = audience.Integrator
	}
	return p.setUpPushes(options)
}

func (p *Provider) checkMedia(options Options) error {
	switch {
	case p.media == nil:
		return nil
	case p.maxMedia <= 0 || p.mediaRetention <= 0:
		return fmt.Errorf("%w: hosted files need a largest size and a time to be kept", ErrBadOptions)
	case options.MediaKey == [MediaKeySize]byte{}:
		return fmt.Errorf("%w: hosted files need a key", ErrBadOptions)
	}
	for _, limit := range []int64{options.MediaPerOwner, options.MediaInAll} {
		if limit != 0 && limit < p.maxMedia {
			return fmt.Errorf("%w: a hosted file of the largest size would never fit", ErrBadOptions)
		}
	}
	return nil
}

func (p *Provider) setUpPushes(options Options) (err error) {
	if len(options.Pushers) == 0 {
		return nil
	}
	if options.Wake == nil {
		return fmt.Errorf("%w: pushes have nobody to wake", ErrBadOptions)
	}
	transport := options.PushKeys
	if transport == nil {
		transport = newRemoteTransport()
	}
	p.pushes, err = newPushVerifier(p.issuer, options.Pushers, transport, p.now, p.log)
	return err
}

package provider

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rs/zerolog"
)

const (
	// remoteKeysFresh is how long fetched keys are taken as they are. After that they are fetched again when one is needed.
	remoteKeysFresh = time.Hour
	// remoteKeysMaxAge is how long they are used while no newer ones can be had.
	remoteKeysMaxAge = 24 * time.Hour
	// remoteKeysRetry is the time between two tries at least, whatever asks for them and whatever came of the first.
	remoteKeysRetry = time.Minute
	// remoteKeysTimeout is for a whole fetch. It is shorter than the time that a push has to be answered in.
	remoteKeysTimeout = 5 * time.Second
	maxRemoteRedirect = 3
	// maxRemoteKeySet bounds a key set, in bytes; a key has about 500. maxRemoteKeys bounds how many of its keys are looked at.
	maxRemoteKeySet = 64 << 10
	maxRemoteKeys   = 32
	// minRemoteBits and maxRemoteBits bound the keys: smaller ones are weak, and larger ones are slow to check with.
	minRemoteBits = 2048
	maxRemoteBits = 8192
)

var (
	// errKeysAway: there are no keys of the gatekeeper to check with.
	errKeysAway  = errors.New("the gatekeeper's keys cannot be fetched")
	errRedirect  = errors.New("redirected too often, or away from https")
	errNoKeys    = errors.New("the key set holds no usable key")
	errKeySet    = errors.New("not a key set")
	errKeyStatus = errors.New("unexpected status")
)

// remoteKeys are the public keys of one gatekeeper, fetched when they are needed. It is safe for concurrent use.
type remoteKeys struct {
	address *url.URL
	client  *http.Client
	now     func() time.Time
	log     zerolog.Logger
	// fetching holds an element while somebody fetches.
	fetching chan struct{}

	mu        sync.Mutex
	keys      map[string]*rsa.PublicKey // replaced and never changed; nil before the first fetch
	fetchedAt time.Time                 // when keys came
	triedAt   time.Time                 // when the last try began
}

func newRemoteKeys(address *url.URL, transport http.RoundTripper, now func() time.Time, log zerolog.Logger) *remoteKeys {
	return &remoteKeys{
		address:  address,
		client:   &http.Client{Transport: transport, Timeout: remoteKeysTimeout, CheckRedirect: checkRemoteRedirect},
		now:      now,
		log:      log,
		fetching: make(chan struct{}, 1),
	}
}

// newRemoteTransport keeps no connection: it is used once an hour, and so leaves nothing to be closed.
func newRemoteTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
	}
}

func checkRemoteRedirect(request *http.Request, via []*http.Request) error {
	if len(via) > maxRemoteRedirect || via[0].URL.Scheme == "https" && request.URL.Scheme != "https" {
		return errRedirect
	}
	return nil
}

// find returns the key of that name. A key that is not known is looked for once a minute at most, by one caller while the others
// wait for it, as ctx allows. Who asks for a known key never waits for others.
// Errors: errBadPush if there is no such key, errKeysAway if there are none at all.
func (k *remoteKeys) find(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	key, final, err := k.look(kid)
	if final {
		return key, err
	}
	if key != nil {
		select {
		case k.fetching <- struct{}{}:
		default:
			return key, nil
		}
	} else {
		select {
		case k.fetching <- struct{}{}:
		case <-ctx.Done():
			return nil, errKeysAway
		}
	}
	defer func() { <-k.fetching }()
	if key, final, err = k.look(kid); final {
		return key, err // another caller has fetched
	}
	k.refresh(ctx)
	key, _, err = k.look(kid)
	return key, err
}

// look returns what is known. It is not final if the keys should be fetched before.
func (k *remoteKeys) look(kid string) (key *rsa.PublicKey, final bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	fresh, tried := now.Sub(k.fetchedAt) < remoteKeysFresh, now.Sub(k.triedAt) < remoteKeysRetry
	if k.keys == nil || now.Sub(k.fetchedAt) >= remoteKeysMaxAge {
		return nil, tried, errKeysAway
	}
	if key = k.keys[kid]; key == nil {
		return nil, tried, fmt.Errorf("%w: signed by an unknown key", errBadPush)
	}
	return key, fresh || tried, nil
}

// refresh fetches the keys. What is there is kept if that fails. The caller holds fetching. Its going away stops nothing,
// since others wait for the keys too.
func (k *remoteKeys) refresh(ctx context.Context) {
	triedAt := k.now()
	keys, err := k.fetch(context.WithoutCancel(ctx))
	if err != nil {
		k.log.Warn().Err(err).Msg("Failed to fetch the keys that pushes are checked with")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.triedAt = triedAt
	if err == nil {
		k.keys, k.fetchedAt = keys, triedAt
	}
}

func (k *remoteKeys) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("failed to ask for keys: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := k.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to ask for keys: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %d", errKeyStatus, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRemoteKeySet+1))
	if err != nil {
		return nil, fmt.Errorf("failed to read the keys: %w", err)
	}
	return parseRemoteKeys(body)
}

// parseRemoteKeys takes the keys that RS256 can be checked with, and leaves out others, which the gatekeeper may have for others.
func parseRemoteKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if len(body) > maxRemoteKeySet || json.Unmarshal(body, &set) != nil {
		return nil, errKeySet
	}
	keys := make(map[string]*rsa.PublicKey)
	for _, raw := range set.Keys[:min(len(set.Keys), maxRemoteKeys)] {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || key.KeyID == "" || len(key.KeyID) > maxKeyID ||
			key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != string(jose.RS256) {
			continue
		}
		public, ok := key.Key.(*rsa.PublicKey)
		if _, twice := keys[key.KeyID]; !ok || twice || public.N.BitLen() < minRemoteBits || public.N.BitLen() > maxRemoteBits {
			continue
		}
		keys[key.KeyID] = public
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

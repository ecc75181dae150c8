package provider

import (
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// unknownProxyPause is the time between two lines about reverse proxies that are not trusted.
const unknownProxyPause = time.Hour

// unknownProxies tells the log of reverse proxies that are not trusted: all who come through such a one count as one client, which is
// noticed only when they are refused. It is safe for concurrent use.
type unknownProxies struct {
	limits *requestLimits
	now    func() time.Time
	log    zerolog.Logger

	mu     sync.Mutex
	toldAt time.Time
}

// look tells of a request that a private address sends for somebody else. Public addresses are no proxies of ours, and anybody's.
func (u *unknownProxies) look(r *http.Request) {
	if r.Header.Get("X-Forwarded-For") == "" {
		return
	}
	address := parseAddress(r.RemoteAddr)
	if !address.IsPrivate() && !address.IsLoopback() || u.limits.isTrusted(address) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if now := u.now(); u.toldAt.IsZero() || now.Sub(u.toldAt) >= unknownProxyPause {
		u.toldAt = now
		u.log.Warn().Stringer("address", address).Msg("A reverse proxy is not in public.trusted_proxies, all who come through it count as one client")
	}
}

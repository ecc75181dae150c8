package provider

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// DefaultAddressRate and DefaultTotalRate are in requests a second. A gatekeeper calls from few addresses and may have a push
	// for every user at once: a thousand are let through, and a hundred a second after that. Checking a push takes less than
	// 0.1 ms, so that one address keeps a hundredth of a core busy, and all together a tenth.
	DefaultAddressRate = 100
	DefaultTotalRate   = 1000
	// burstTime is how long a bucket takes to fill, in seconds: so many seconds' worth of requests may come at once. Who sent
	// nothing for that long is like one who never sent anything, and is forgotten.
	burstTime = 10
	// maxAddresses are remembered, in some 2 MiB. While there are more, those that are new share one bucket.
	maxAddresses = 16384
	// ipv6Bits is how much of an address of IPv6 counts: a customer of a provider has a /64 at least.
	ipv6Bits = 64
)

// requestLimits bounds requests per address and in all. It is safe for concurrent use.
type requestLimits struct {
	trusted []netip.Prefix
	perHost int
	now     func() time.Time
	total   *rate.Limiter
	crowd   *rate.Limiter // of those who are not remembered

	mu        sync.Mutex
	addresses map[netip.Prefix]*addressBucket
	sweptAt   time.Time
}

type addressBucket struct {
	limiter *rate.Limiter
	usedAt  time.Time
}

func newRequestLimits(trusted []netip.Prefix, address, total int, now func() time.Time) *requestLimits {
	return &requestLimits{
		trusted:   trusted,
		perHost:   address,
		now:       now,
		total:     newBucket(total),
		crowd:     newBucket(address),
		addresses: make(map[netip.Prefix]*addressBucket),
		sweptAt:   now(),
	}
}

func newBucket(perSecond int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), perSecond*burstTime)
}

// wait returns how long the client has to wait, 0 if the request may be served now. Requests that have to wait cost nothing.
func (l *requestLimits) wait(r *http.Request) time.Duration {
	now := l.now()
	if wait := take(l.bucket(l.clientOf(r), now), now); wait > 0 {
		return wait
	}
	return take(l.total, now)
}

func take(bucket *rate.Limiter, now time.Time) time.Duration {
	reservation := bucket.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

func (l *requestLimits) bucket(client netip.Prefix, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.sweptAt) >= burstTime*time.Second {
		l.sweptAt = now
		for address, one := range l.addresses {
			if now.Sub(one.usedAt) >= burstTime*time.Second {
				delete(l.addresses, address)
			}
		}
	}
	one, known := l.addresses[client]
	if !known {
		if len(l.addresses) >= maxAddresses {
			return l.crowd
		}
		one = &addressBucket{limiter: newBucket(l.perHost)}
		l.addresses[client] = one
	}
	one.usedAt = now
	return one.limiter
}

func (l *requestLimits) isTrusted(address netip.Addr) bool {
	return slices.ContainsFunc(l.trusted, func(proxy netip.Prefix) bool { return proxy.Contains(address) })
}

// clientOf returns the client's address: the socket's, or if that is a trusted proxy's, the one that the proxy was called
// from. That is the last in X-Forwarded-For; those before it are what the client says. An address that cannot be read is
// one of its own.
func (l *requestLimits) clientOf(r *http.Request) netip.Prefix {
	client := parseAddress(r.RemoteAddr)
	if l.isTrusted(client) {
		hops := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
		if last := parseAddress(strings.TrimSpace(hops[strings.LastIndexByte(hops, ',')+1:])); last.IsValid() {
			client = last
		}
	}
	bits := client.BitLen()
	if client.Is6() {
		bits = ipv6Bits
	}
	prefix, _ := client.Prefix(bits) // the zero Prefix for the zero Addr
	return prefix
}

// parseAddress reads an address with or without a port. It returns the zero Addr if it is neither.
func parseAddress(text string) netip.Addr {
	address, err := netip.ParseAddr(text)
	if err != nil {
		pair, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		address = pair.Addr()
	}
	return address.Unmap().WithZone("")
}

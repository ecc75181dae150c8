package provider_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/provider"
)

// limited is a partner server with the limits of the daemon.
func limited(t testing.TB, change func(o *provider.Options)) (*provider.Provider, *clock) {
	t.Helper()
	clock := newClock()
	o := options(t, sharedKeys())
	o.Now, o.AddressRate, o.TotalRate = clock.now, 0, 0
	o.Log = zerolog.Nop()
	if change != nil {
		change(&o)
	}
	p, err := provider.New(context.Background(), o)
	check(t, err)
	return p, clock
}

// from asks for nothing special, from a socket and with the X-Forwarded-For headers that are given.
func from(p *provider.Provider, socket string, forwarded ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "http://partner.example.org/", nil)
	r.RemoteAddr = socket
	for _, one := range forwarded {
		r.Header.Add("X-Forwarded-For", one)
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	return w
}

// served sends requests until one is refused and returns how many were not.
func served(p *provider.Provider, socket string, forwarded ...string) int {
	for n := range 100_000 {
		if from(p, socket, forwarded...).Code == http.StatusTooManyRequests {
			return n
		}
	}
	return -1
}

func TestOneAddressCannotTakeAll(t *testing.T) {
	p, clock := limited(t, nil)
	if n := served(p, "192.0.2.1:1000"); n != 1000 {
		t.Errorf("%d requests at once were served", n)
	}
	w := from(p, "192.0.2.1:2000") // another port is nobody else
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if n := served(p, "192.0.2.2:1000"); n != 1000 {
		t.Errorf("another address: %d", n)
	}
	clock.advance(time.Second)
	if n := served(p, "192.0.2.1:1000"); n != 100 {
		t.Errorf("a second later: %d", n)
	}
	clock.advance(10 * time.Second)
	if n := served(p, "192.0.2.1:1000"); n != 1000 {
		t.Errorf("after a rest: %d", n)
	}
}

func TestAllTogetherAreLimited(t *testing.T) {
	p, clock := limited(t, nil)
	all := 0
	for i := range 11 {
		all += served(p, fmt.Sprintf("192.0.2.%d:1", i))
	}
	if all != 10_000 {
		t.Errorf("%d requests at once were served", all)
	}
	clock.advance(100 * time.Millisecond)
	if n := served(p, "198.51.100.1:1"); n != 100 {
		t.Errorf("a tenth of a second later: %d", n)
	}
}

func TestRetryAfterIsLongEnough(t *testing.T) {
	p, clock := limited(t, func(o *provider.Options) { o.AddressRate = 1 })
	for range 20 {
		served(p, "192.0.2.1:1")
		clock.advance(300 * time.Millisecond)
		w := from(p, "192.0.2.1:1")
		if w.Code != http.StatusTooManyRequests {
			continue
		}
		seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
		check(t, err)
		clock.advance(time.Duration(seconds) * time.Second)
		if w = from(p, "192.0.2.1:1"); w.Code == http.StatusTooManyRequests {
			t.Fatalf("refused after the %d s that it said", seconds)
		}
	}
}

func TestWhoCountsAsOne(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8")}
	type client struct {
		socket    string
		forwarded []string
	}
	for _, test := range []struct {
		name     string
		one, two client
		same     bool
	}{
		{"a network of IPv6", client{"[2001:db8::1]:1", nil}, client{"[2001:db8::ffff:1]:1", nil}, true},
		{"two networks of IPv6", client{"[2001:db8:0:1::1]:1", nil}, client{"[2001:db8:0:2::1]:1", nil}, false},
		{"IPv4 written as IPv6", client{"[::ffff:192.0.2.1]:1", nil}, client{"192.0.2.1:1", nil}, true},
		{"neighbours of IPv4 written as IPv6", client{"[::ffff:192.0.2.1]:1", nil}, client{"[::ffff:192.0.2.2]:1", nil}, false},
		{"zones", client{"[fe80::1%eth0]:1", nil}, client{"[fe80::1%eth1]:1", nil}, true},
		{"a header of nobody", client{"192.0.2.1:1", []string{"198.51.100.1"}}, client{"192.0.2.1:1", []string{"198.51.100.2"}}, true},
		{"behind the proxy", client{"127.0.0.1:1", []string{"198.51.100.1"}}, client{"127.0.0.1:1", []string{"198.51.100.2"}}, false},
		{"behind the proxy's network", client{"[fd00::1]:1", []string{"198.51.100.1"}}, client{"[fd00::2]:1", []string{"198.51.100.1"}}, true},
		{"what the client says", client{"127.0.0.1:1", []string{"10.0.0.1, 198.51.100.1"}}, client{"127.0.0.1:1", []string{"10.0.0.2", " 198.51.100.1 "}}, true},
		{"with ports", client{"127.0.0.1:1", []string{"198.51.100.1:1"}}, client{"127.0.0.1:1", []string{"198.51.100.1:2"}}, true},
		{"networks behind the proxy", client{"127.0.0.1:1", []string{"[2001:db8::1]:1"}}, client{"127.0.0.1:1", []string{"2001:db8::2"}}, true},
		{"a proxy that says nothing", client{"127.0.0.1:1", nil}, client{"127.0.0.1:1", []string{""}}, true},
		{"a proxy that says rubbish", client{"127.0.0.1:1", []string{"198.51.100.1, unknown"}}, client{"127.0.0.1:1", []string{"198.51.100.2, _x"}}, true},
		{"sockets without an address", client{"pipe", nil}, client{"@", nil}, true},
	} {
		p, _ := limited(t, func(o *provider.Options) { o.AddressRate, o.TrustedProxies = 1, trusted })
		if n := served(p, test.one.socket, test.one.forwarded...); n != 10 {
			t.Errorf("%s: %d were served", test.name, n)
		}
		if refused := from(p, test.two.socket, test.two.forwarded...).Code == http.StatusTooManyRequests; refused != test.same {
			t.Errorf("%s: counted as the same: %t", test.name, refused)
		}
	}
}

func TestCrowdsShareAndAreForgotten(t *testing.T) {
	p, clock := limited(t, func(o *provider.Options) { o.AddressRate, o.TotalRate = 1, 1<<20 })
	address := func(i int) string { return fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255) }
	for i := range 16384 {
		if w := from(p, address(i)); w.Code == http.StatusTooManyRequests {
			t.Fatalf("%d was refused", i)
		}
	}
	for i := range 10 {
		if w := from(p, address(20000+i)); w.Code == http.StatusTooManyRequests {
			t.Fatalf("%d of the crowd was refused", i)
		}
	}
	if w := from(p, address(30000)); w.Code != http.StatusTooManyRequests {
		t.Error("the crowd has no limit")
	}
	if w := from(p, address(5)); w.Code == http.StatusTooManyRequests {
		t.Error("the crowd takes from those who are known")
	}
	clock.advance(10 * time.Second)
	if n := served(p, address(30000)); n != 10 {
		t.Errorf("after a rest: %d", n)
	}
}

func TestRefusedRequestsNameNobody(t *testing.T) {
	var logged bytes.Buffer
	p, _ := limited(t, func(o *provider.Options) {
		o.AddressRate, o.Log = 1, zerolog.New(&logged).Level(zerolog.TraceLevel)
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	served(p, "127.0.0.1:1", "198.51.100.77")
	if text := logged.String(); !strings.Contains(text, `"route":"limited","status":429`) || strings.Contains(text, "198.51") || strings.Contains(text, "127.0") {
		t.Errorf("logged: %s", text)
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{"198.51.100.1", "[2001:db8::1]:1", "unknown", ",,,", "fe80::1%eth0", "10.0.0.1, 198.51.100.1 "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		proxy := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		p, _ := limited(t, func(o *provider.Options) { o.AddressRate, o.TrustedProxies = 1, proxy })
		// Whatever a header says: it counts the same every time, and nothing if no proxy wrote it.
		if n := served(p, "127.0.0.1:1", header); n != 10 {
			t.Errorf("%d were served behind the proxy", n)
		}
		if n := served(p, "192.0.2.1:1", header) + served(p, "192.0.2.1:1", header+"1"); n != 10 && n != 0 {
			t.Errorf("%d were served without one", n)
		}
	})
}

// TestAnUnknownReverseProxyIsTold once an hour, since its clients are noticed only when they are refused.
func TestAnUnknownReverseProxyIsTold(t *testing.T) {
	var log bytes.Buffer
	p, clock := limited(t, func(o *provider.Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		o.Log = zerolog.New(&log)
	})
	told := func() int { return strings.Count(log.String(), `"address":"172.18.0.1"`) }
	from(p, "127.0.0.1:1", "198.51.100.1") // is trusted
	from(p, "172.18.0.1:1")                // calls for itself
	from(p, "192.0.2.1:1", "198.51.100.1") // somebody, who says that
	if strings.Contains(log.String(), "warn") {
		t.Errorf("the log says %s", &log)
	}
	from(p, "172.18.0.1:1", "198.51.100.1")
	from(p, "172.18.0.1:2", "198.51.100.2")
	if told() != 1 || strings.Contains(log.String(), "198.51.100") {
		t.Errorf("the log says %s", &log)
	}
	clock.advance(time.Hour)
	from(p, "172.18.0.1:3", "198.51.100.3")
	if told() != 2 {
		t.Errorf("the log says %s", &log)
	}
}

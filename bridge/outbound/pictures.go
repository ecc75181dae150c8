package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"postern/bridge/preview"
	"postern/interop"
	"postern/puppet"
)

// Why a picture is not even asked for.
var (
	ErrPictureAddress = errors.New("the picture's address is not one of the gatekeeper's kind")
	ErrPrivateAddress = errors.New("the picture's address is inside a private network")
)

// Pictures loads profile pictures from where a gatekeeper says they are. A gatekeeper outside may not make us ask
// hosts inside our network: the address is checked after the name was looked up, when the connection is made.
type Pictures struct {
	// open connects to anything: for gatekeepers that are in a private network themselves, and for a configured proxy,
	// which decides on its own what it reaches.
	open   *http.Client
	public *http.Client
}

// NewPictures makes a loader; open is what [NewClient] made.
func NewPictures(open *http.Client) *Pictures {
	dialer := &net.Dialer{Timeout: handshakeTimeout, Control: refusePrivate}
	return &Pictures{open: open, public: &http.Client{
		CheckRedirect: noRedirects,
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   handshakeTimeout,
			ResponseHeaderTimeout: answerTimeout,
			DisableKeepAlives:     true, // pictures are rare
			Protocols:             http1Only(),
		},
	}}
}

// Fetch returns at most [puppet.MaxPictureSize] plus one byte. A gatekeeper that is reached with TLS may not send us to an
// address without. Errors: [ErrPictureAddress], [ErrPrivateAddress], and those of the network.
func (l *Pictures) Fetch(ctx context.Context, gatekeeper *interop.Gatekeeper, picture *interop.Picture) ([]byte, error) {
	address, err := url.Parse(picture.URL)
	if err != nil || address.Host == "" {
		return nil, ErrPictureAddress
	}
	clear := gatekeeper.ChatURL.Scheme == "ws"
	if address.Scheme != "https" && !(clear && address.Scheme == "http") {
		return nil, ErrPictureAddress
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, ErrPictureAddress
	}
	client, err := l.client(ctx, gatekeeper, request)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the picture's server answered with status %d", response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, puppet.MaxPictureSize+1))
}

// fetchTimeout bounds loading a picture.
const fetchTimeout = 20 * time.Second

// maxPictureSide is how wide and high a profile picture may be, in pixels. WhatsApp's have 640.
const maxPictureSide = 2048

// CheckPicture refuses what takes far more memory to show than to send: every client in every room decodes it.
func CheckPicture(data []byte) error {
	format := preview.Sniff(data)
	if format.Width == 0 || format.Height == 0 || format.Width > maxPictureSide || format.Height > maxPictureSide {
		return fmt.Errorf("%w: %d by %d pixels", puppet.ErrPicture, format.Width, format.Height)
	}
	return nil
}

func (l *Pictures) client(ctx context.Context, gatekeeper *interop.Gatekeeper, request *http.Request) (*http.Client, error) {
	if isPrivateHost(ctx, gatekeeper.ChatURL.Hostname()) {
		return l.open, nil
	}
	proxy, err := http.ProxyFromEnvironment(request)
	if err != nil {
		return nil, fmt.Errorf("failed to choose a proxy: %w", err)
	} else if proxy == nil {
		return l.public, nil
	}
	if address, err := netip.ParseAddr(request.URL.Hostname()); err == nil && isPrivate(address) {
		return nil, ErrPrivateAddress
	}
	return l.open, nil
}

// isPrivateHost tells whether the name or address of a gatekeeper, which the admin chose, is inside a private network.
func isPrivateHost(ctx context.Context, host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return isPrivate(address)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false
	}
	for _, address := range addresses {
		if !isPrivate(address) {
			return false
		}
	}
	return len(addresses) > 0
}

// refusePrivate is a net.Dialer's Control: it sees the address that is really connected to.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || isPrivate(target.Addr()) {
		return ErrPrivateAddress
	}
	return nil
}

// Networks that netip's own questions leave out: shared address space (RFC 6598) and this host (RFC 1122), and IPv6
// prefixes that carry an IPv4 address, which may be a private one (RFC 6052, RFC 3056).
var privatePrefixes = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("2002::/16"),
}

func isPrivate(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, prefix := range privatePrefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return !address.IsGlobalUnicast() || address.IsPrivate()
}

// noRedirects is the CheckRedirect of all clients that talk to gatekeepers: an answer that sends us elsewhere is taken as
// it is, which is a failure. A redirected enlistment would hand the token on.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

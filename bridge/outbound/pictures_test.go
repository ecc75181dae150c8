package outbound_test

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"postern/bridge/outbound"
	"postern/interop"
	"postern/puppet"
)

func gatekeeperAt(t *testing.T, chat string) *interop.Gatekeeper {
	t.Helper()
	address, err := url.Parse(chat)
	if err != nil {
		t.Fatal(err)
	}
	return &interop.Gatekeeper{ID: "wa", ChatURL: address}
}

func TestPicturesAreLoadedFromTheGatekeepersKindOfPlaceOnly(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/picture", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("picture"))
	}))
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	// 192.0.2.0/24 is for documentation: nothing is sent there, the pictures' addresses are local ones.
	const outside, outsideClear, inside = "wss://192.0.2.1/chat", "ws://192.0.2.1/chat", "ws://127.0.0.1/chat"
	for name, test := range map[string]struct {
		chat, picture string
		want          error // nil: it is loaded
		asked         int
	}{
		"private gatekeeper":       {inside, server.URL + "/picture", nil, 1},
		"private gatekeeper, name": {"ws://localhost/chat", server.URL + "/picture", nil, 1},
		"redirect":                 {inside, server.URL + "/moved", errors.New("status 302"), 1},
		"loopback from outside":    {outsideClear, server.URL + "/picture", outbound.ErrPrivateAddress, 0},
		"name of a private host":   {outsideClear, "http://localhost" + port + "/picture", outbound.ErrPrivateAddress, 0},
		"without TLS":              {outside, server.URL + "/picture", outbound.ErrPictureAddress, 0},
		"file":                     {inside, "file:///etc/passwd", outbound.ErrPictureAddress, 0},
		"no host":                  {inside, "http:///picture", outbound.ErrPictureAddress, 0},
		"not an address":           {inside, "http://%", outbound.ErrPictureAddress, 0},
	} {
		t.Run(name, func(t *testing.T) {
			asked = 0
			data, err := outbound.NewPictures(outbound.NewClient()).Fetch(context.Background(), gatekeeperAt(t, test.chat), &interop.Picture{URL: test.picture})
			switch {
			case test.want == nil && (err != nil || string(data) != "picture"):
				t.Errorf("got %q, %v", data, err)
			case test.want != nil && (err == nil || !errors.Is(err, test.want) && !strings.Contains(err.Error(), test.want.Error())):
				t.Errorf("got error %v, want %v", err, test.want)
			case asked != test.asked:
				t.Errorf("the server was asked %d times, want %d", asked, test.asked)
			}
		})
	}
}

// TestAProfilePictureThatIsABombIsRefused: by what its header says, before anybody decodes it.
func TestAProfilePictureThatIsABombIsRefused(t *testing.T) {
	// The sizes stand behind the PNG's signature and the name of its first block, whose checksum follows.
	sized := func(width, height uint32) []byte {
		data := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)...)
		data = append(data, 8, 2, 0, 0, 0)
		return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(data[12:]))
	}
	for name, test := range map[string]struct {
		data []byte
		fine bool
	}{
		"as WhatsApp makes them": {sized(640, 640), true},
		"wide":                   {sized(50_000, 1), false},
		"50,000 a side":          {sized(50_000, 50_000), false},
		"nothing to be measured": {[]byte("\x89PNG\r\n\x1a\n"), false},
		"no picture":             {[]byte("<html>"), false},
		"empty":                  {nil, false},
	} {
		if err := outbound.CheckPicture(test.data); (err == nil) != test.fine || !test.fine && !errors.Is(err, puppet.ErrPicture) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrivateAddressesAreKnown(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true,
		"100.64.0.1": true, "0.0.0.0": true, "224.0.0.1": true, "255.255.255.255": true, "::1": true, "::": true,
		"fe80::1%eth0": true, "fd00::1": true, "::ffff:10.0.0.1": true, "64:ff9b::a00:1": true, "2002:a00:1::": true,
		"157.240.1.1": false, "2a03:2880::1": false, "::ffff:157.240.1.1": false,
	} {
		if got := outbound.IsPrivate(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: private is %v, want %v", address, got, want)
		}
	}
}

func TestGatekeepersCannotSendATokenElsewhere(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	response, err := outbound.NewClient().PostForm(server.URL, url.Values{"token": {"secret"}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusTemporaryRedirect || elsewhere != 0 {
		t.Errorf("status %d, the other server was asked %d times", response.StatusCode, elsewhere)
	}
}

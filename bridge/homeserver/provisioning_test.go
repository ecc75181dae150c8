package homeserver_test

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func TestProvisioningIsForOurOwnUsers(t *testing.T) {
	outside, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 10)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := outside.Accept()
			if err != nil {
				return
			}
			asked <- struct{}{}
			conn.Close()
		}
	})
	defer accepting.Wait()
	defer outside.Close()
	s := newStack(t)
	const secret = provisioningSecret
	for name, test := range map[string]struct {
		method, token, user string
		want                int
	}{
		"our user with the secret":       {"GET", "Bearer " + secret, string(alice), http.StatusOK},
		"our user with a wrong token":    {"GET", "Bearer x", string(alice), http.StatusUnauthorized},
		"our user, vouched for":          {"GET", "Bearer openid:x", string(alice), http.StatusUnauthorized},
		"user of another host":           {"GET", "Bearer openid:x", "@a:" + outside.Addr().String(), http.StatusUnauthorized},
		"the same without Bearer":        {"GET", "openid:x", "@a:" + outside.Addr().String(), http.StatusUnauthorized},
		"the same with the secret":       {"GET", "Bearer " + secret, "@a:" + outside.Addr().String(), http.StatusUnauthorized},
		"nobody":                         {"GET", "Bearer " + secret, "", http.StatusUnauthorized},
		"what a browser asks beforehand": {"OPTIONS", "", "", http.StatusOK},
	} {
		address := "http://" + s.address + "/_matrix/provision/v3/whoami?user_id=" + url.QueryEscape(test.user)
		request, err := http.NewRequestWithContext(t.Context(), test.method, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", test.token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%s: status %d, want %d", name, response.StatusCode, test.want)
		}
		if origin := response.Header.Get("Access-Control-Allow-Origin"); !strings.Contains(origin, "*") {
			t.Errorf("%s: a browser does not get the answer", name)
		}
	}
	select {
	case <-asked:
		t.Error("the bridge connected to another host")
	default:
	}
}

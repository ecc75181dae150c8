package provider_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/provider"
)

// TestBothVersionsOfHTTPAreServed: a reverse proxy speaks one or the other, without TLS.
func TestBothVersionsOfHTTPAreServed(t *testing.T) {
	p := withPush(t, nil)
	address, stop := serving(t, p.Provider)
	for version := 1; version <= 2; version++ {
		var protocols http.Protocols
		protocols.SetHTTP1(version == 1)
		protocols.SetUnencryptedHTTP2(version == 2)
		transport := &http.Transport{Protocols: &protocols}
		client := &http.Client{Transport: transport}
		response, err := client.Get("http://" + address + provider.JWKSPath)
		check(t, err)
		check(t, response.Body.Close())
		if response.StatusCode != 200 || response.ProtoMajor != version {
			t.Errorf("HTTP/%d: status %d, HTTP/%d", version, response.StatusCode, response.ProtoMajor)
		}
		for authorization, want := range map[string]int{"Bearer " + p.good(t): 200, "Bearer x": 401} {
			request, err := http.NewRequest("POST", "http://"+address+provider.PushPath, strings.NewReader(goodPush))
			check(t, err)
			request.Header.Set("Authorization", authorization)
			response, err = client.Do(request)
			check(t, err)
			check(t, response.Body.Close())
			if response.StatusCode != want || response.ProtoMajor != version {
				t.Errorf("push over HTTP/%d: status %d, want %d, HTTP/%d", version, response.StatusCode, want, response.ProtoMajor)
			}
		}
		transport.CloseIdleConnections()
	}
	check(t, stop())
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the listener is still open")
	}
}

// TestIdleConnectionDoesNotHoldUpAStop: proxies keep connections.
func TestIdleConnectionDoesNotHoldUpAStop(t *testing.T) {
	for version := 1; version <= 2; version++ {
		address, stop := serving(t, newProvider(t, sharedKeys()))
		var protocols http.Protocols
		protocols.SetHTTP1(version == 1)
		protocols.SetUnencryptedHTTP2(version == 2)
		transport := &http.Transport{Protocols: &protocols}
		response, err := (&http.Client{Transport: transport}).Get("http://" + address + provider.JWKSPath)
		check(t, err)
		check(t, response.Body.Close())
		start := time.Now()
		check(t, stop())
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("HTTP/%d: the stop took %v", version, took)
		}
		transport.CloseIdleConnections()
	}
}

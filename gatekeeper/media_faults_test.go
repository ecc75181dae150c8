package gatekeeper_test

import (
	"bytes"
	"context"
	"math/bits"
	"net/http"
	"testing"

	"go.mau.fi/whatsmeow"
)

// differentBits counts in how many bits two files of one size differ.
func differentBits(a, b []byte) (count int) {
	for i := range a {
		count += bits.OnesCount8(a[i] ^ b[i])
	}
	return count
}

func TestFaultsOfDownloads(t *testing.T) {
	s := start(t)
	want := randomBytes(1001)
	path := s.upload(want)
	for mode, check := range map[string]func(response *http.Response, got []byte, err error) bool{
		"truncate": func(response *http.Response, got []byte, err error) bool {
			return err != nil && response.ContentLength == 1001 && bytes.HasPrefix(want, got)
		},
		"flip": func(response *http.Response, got []byte, err error) bool {
			return err == nil && len(got) == 1001 && differentBits(got, want) == 1
		},
		"missing": func(response *http.Response, _ []byte, err error) bool {
			return response.StatusCode == http.StatusNotFound
		},
		"error": func(response *http.Response, _ []byte, err error) bool {
			return response.StatusCode == http.StatusServiceUnavailable
		},
		"lie-longer": func(response *http.Response, got []byte, err error) bool {
			return err == nil && response.ContentLength == 1017 && len(got) == 1017 && bytes.HasPrefix(got, want)
		},
		"lie-shorter": func(response *http.Response, got []byte, err error) bool {
			return err == nil && response.ContentLength == 985 && bytes.Equal(got, want[:985])
		},
	} {
		s.fault("media", map[string]any{"mode": mode, "times": 2})
		for range 2 {
			if response, got, err := s.fetch(t.Context(), "GET", path, nil); !check(response, got, err) {
				t.Errorf("%s: %s, %d bytes, %v", mode, response.Status, len(got), err)
			}
		}
		if status, got := s.get(path); status != http.StatusOK || !bytes.Equal(got, want) {
			t.Errorf("after %s: status %d, %d bytes", mode, status, len(got))
		}
		s.waitSaw("media download " + mode)
	}
}

func TestASlowDownloadGoesOnWhenTheFaultIsLifted(t *testing.T) {
	s := start(t)
	want := randomBytes(1000)
	path := s.upload(want)
	s.fault("media", map[string]any{"mode": "slow", "times": 2})
	ctx, cancel := context.WithTimeout(t.Context(), patience/10)
	defer cancel()
	response, got, err := s.fetch(ctx, "GET", path, nil)
	if err == nil || !bytes.Equal(got, want[:500]) {
		t.Errorf("impatient: %s, %d bytes, %v", response.Status, len(got), err)
	}
	if seen := s.waitSaw("media download slow"); seen.Size != 500 {
		t.Errorf("the gatekeeper saw %+v", seen)
	}
	request, err := http.NewRequestWithContext(t.Context(), "GET", s.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err = http.DefaultClient.Do(request); err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	s.fault("media", map[string]any{"mode": ""})
	var all bytes.Buffer
	if _, err = all.ReadFrom(response.Body); err != nil || !bytes.Equal(all.Bytes(), want) {
		t.Errorf("patient: %d bytes, %v", all.Len(), err)
	}
}

func TestFaultsOfDownloadsSpareWhatsApp(t *testing.T) {
	s, bob, carol := bobAndCarol(t)
	uploaded, err := bob.Upload(t.Context(), randomBytes(1000), whatsmeow.MediaDocument)
	if err != nil {
		t.Fatal(err)
	}
	s.fault("media", map[string]any{"mode": "flip"})
	if _, err = carol.Download(t.Context(), described(uploaded)); err != nil {
		t.Error(err)
	}
	response, got, err := s.fetch(t.Context(), "GET", uploaded.DirectPath, nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %d bytes, %v", response.Status, len(got), err)
	}
	s.waitSaw("media download flip")
}

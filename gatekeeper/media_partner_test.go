package gatekeeper_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"
)

// partnersPath is the direct path of a partner's file.
func partnersPath(reference string) string {
	return fmt.Sprintf("/interop/whatsapp/download/%d/%s/", integrator, reference)
}

// encrypted is a file as a partner's client keeps it on its server, and what its message tells of it.
func encrypted(content []byte) (body []byte, message *waE2E.DocumentMessage) {
	key := randomBytes(32)
	keys := hkdfutil.SHA256(key, nil, []byte(whatsmeow.MediaDocument), 112)
	iv, cipherKey, macKey := keys[:16], keys[16:48], keys[48:80]
	padding := aes.BlockSize - len(content)%aes.BlockSize
	body = append(slices.Clone(content), bytes.Repeat([]byte{byte(padding)}, padding)...)
	block, err := aes.NewCipher(cipherKey)
	if err != nil {
		panic(err)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(body, body)
	mac := hmac.New(sha256.New, macKey)
	mac.Write(iv)
	mac.Write(body)
	body = append(body, mac.Sum(nil)[:10]...)
	plainHash, hash := sha256.Sum256(content), sha256.Sum256(body)
	return body, &waE2E.DocumentMessage{
		MediaKey: key, FileSHA256: plainHash[:], FileEncSHA256: hash[:], FileLength: proto.Uint64(uint64(len(content))),
	}
}

// serve answers with the bytes.
func serve(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }
}

func TestAWhatsmeowClientDownloadsAPartnersFile(t *testing.T) {
	s, bob, _ := bobAndCarol(t)
	want := randomBytes(100_000)
	body, message := encrypted(want)
	s.partner.keep("Ref_1-a", serve(body))
	message.DirectPath = proto.String(partnersPath("Ref_1-a"))
	got, err := bob.Download(t.Context(), message)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if asked := s.partner.wasAsked(); len(asked) != 1 || asked[0] != "/media/Ref_1-a" {
		t.Errorf("the partner was asked for %v", asked)
	}
	if seen := s.waitSaw("media partner download"); seen.ID != "Ref_1-a" || seen.Size != len(body) {
		t.Errorf("the gatekeeper saw %+v", seen)
	}
	message.DirectPath = proto.String(partnersPath("gone"))
	if _, err = bob.Download(t.Context(), message); !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404) {
		t.Errorf("a file that is not there: %v", err)
	}
	s.waitSaw("media partner download 404")
}

func TestAPartnersFilesMayBeElsewhere(t *testing.T) {
	s := start(t)
	other := newPartner(t)
	other.keep("here", serve([]byte("file")))
	s.stop()
	s.config.Partners[0].MediaURL = other.URL + "/media"
	s.launch()
	if status, content := s.get(partnersPath("here")); status != http.StatusOK || string(content) != "file" {
		t.Errorf("status %d, %q", status, content)
	}
	if asked := s.partner.wasAsked(); len(asked) != 0 {
		t.Errorf("the issuer was asked for %v", asked)
	}
}

func TestAPartnersMediaHostFails(t *testing.T) {
	s := start(t)
	s.partner.keep("broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	s.partner.keep("gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	s.partner.keep("elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/media/file", http.StatusFound) })
	s.partner.keep("file", serve([]byte("file")))
	s.partner.keep("huge", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(int64(1)<<40))
	})
	for path, want := range map[string]int{
		partnersPath("broken"):                  http.StatusBadGateway,
		partnersPath("elsewhere"):               http.StatusBadGateway,
		partnersPath("huge"):                    http.StatusBadGateway,
		partnersPath("gone"):                    http.StatusNotFound,
		"/interop/whatsapp/download/9/file/":    http.StatusNotFound,
		"/interop/messenger/download/7/file/":   http.StatusNotFound,
		"/interop/whatsapp/download/7/a.b/":     http.StatusNotFound,
		"/interop/whatsapp/download/7/file/x/":  http.StatusNotFound,
		partnersPath("file"):                    http.StatusOK,
		partnersPath("file") + "&hash=x&mms=":   http.StatusOK,
		"/interop/whatsapp/download/7/file?x=y": http.StatusOK,
	} {
		if status, _ := s.get(path); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
	s.partner.Close()
	if status, _ := s.get(partnersPath("file")); status != http.StatusBadGateway {
		t.Errorf("a partner that is away: status %d", status)
	}
}

func TestAPartnersFileThatEndsEarlyOrNeverIsNotTakenForWhole(t *testing.T) {
	s := start(t)
	s.SetMediaLimits(1<<20, patience/200)
	release := make(chan struct{})
	defer close(release)
	s.partner.keep("cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 500))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	s.partner.keep("still", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 500))
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	s.partner.keep("endless", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, zeros{}) })
	for _, reference := range []string{"cut", "still", "endless"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, "GET", s.URL()+partnersPath(reference), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			continue // it was cut before anything reached us
		}
		n, err := io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err == nil || ctx.Err() != nil {
			t.Errorf("%s: %d bytes, %v", reference, n, err)
		}
	}
	s.waitSaw("media partner download cut")
}

func TestAPartnerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	s := start(t)
	s.SetMediaLimits(1<<20, patience/200)
	release := make(chan struct{})
	defer close(release)
	s.partner.keep("never", func(http.ResponseWriter, *http.Request) { <-release })
	began := time.Now()
	if status, _ := s.get(partnersPath("never")); status != http.StatusBadGateway || time.Since(began) > patience/2 {
		t.Errorf("status %d after %s", status, time.Since(began))
	}
}

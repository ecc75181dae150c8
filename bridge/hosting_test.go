package bridge_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"postern/provider"
)

func TestDaemonHostsFilesUpToTheConfiguredSize(t *testing.T) {
	i := install(t)
	put := func(size int) (string, error) {
		return i.daemon.PartnerServer().PutMedia(context.Background(), func(w io.Writer) error {
			_, err := w.Write(make([]byte, size))
			return err
		})
	}
	const plain = 1 << 20 // file_mib is 1
	const encrypted = plain + 16 + 10
	if _, err := put(encrypted + 1); !errors.Is(err, provider.ErrMediaTooLarge) {
		t.Errorf("a larger file: %v", err)
	}
	reference, err := put(encrypted)
	if err != nil {
		t.Fatal(err)
	}
	i.restart()
	w := httptest.NewRecorder()
	i.daemon.PartnerServer().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, provider.MediaPath+reference, nil))
	if w.Code != http.StatusOK || w.Body.Len() != encrypted {
		t.Errorf("after a restart: status %d, %d bytes", w.Code, w.Body.Len())
	}
}

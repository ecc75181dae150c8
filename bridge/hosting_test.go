package bridge_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"postern/bridge/config"
	"postern/provider"
)

func TestDaemonHostsFilesUpToTheConfiguredSize(t *testing.T) {
	i := install(t)
	put := func(size int) (string, error) {
		return i.daemon.PartnerServer().PutMedia(context.Background(), "owner", func(w io.Writer) error {
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

func TestDaemonKeepsTheQuotaOfAnEnlistmentOverARestart(t *testing.T) {
	i := install(t)
	i.close()
	i.cfg.Limits.MediaUserMiB, i.cfg.Limits.MediaTotalMiB = 2, 3
	i.open()
	put := func(owner string) error {
		_, err := i.daemon.PartnerServer().PutMedia(context.Background(), owner, func(w io.Writer) error {
			_, err := w.Write(make([]byte, 1<<20))
			return err
		})
		return err
	}
	for step, test := range []struct {
		owner string
		want  error
	}{
		{"wa-1", nil}, {"wa-1", nil}, {"wa-1", provider.ErrQuota}, {"wa-2", nil}, {"wa-2", provider.ErrMediaFull},
	} {
		if err := put(test.owner); !errors.Is(err, test.want) {
			t.Errorf("step %d: %v, want %v", step, err, test.want)
		}
	}
	i.restart()
	if err := put("wa-1"); !errors.Is(err, provider.ErrQuota) {
		t.Errorf("after a restart: %v", err)
	}
	if err := i.daemon.PartnerServer().ForgetMedia(context.Background(), "wa-1"); err != nil {
		t.Fatal(err)
	}
	if err := put("wa-1"); err != nil {
		t.Errorf("after the user's files were deleted: %v", err)
	}
}

func TestDaemonHostsFilesInABucketAndStartsWithoutIt(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket(context.Background(), "files"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{"access": "secret"})).Server())
	defer server.Close()
	i := install(t)
	i.close()
	i.cfg.Public.MediaStore = config.StoreS3
	i.cfg.Public.S3 = config.S3{
		Endpoint: server.Listener.Addr().String(), Region: "us-east-1", Bucket: "files", AccessKey: "access", SecretKey: "secret",
		Prefix: "postern/", Insecure: true,
	}
	i.open() // before the server answers
	server.Start()
	reference, err := i.daemon.PartnerServer().PutMedia(context.Background(), "wa-1", func(w io.Writer) error {
		_, err := io.WriteString(w, "ciphertext")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = backend.HeadObject(context.Background(), "files", "postern/"+reference); err != nil {
		t.Errorf("the object: %v", err)
	}
	i.restart()
	w := httptest.NewRecorder()
	i.daemon.PartnerServer().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, provider.MediaPath+reference, nil))
	if w.Code != http.StatusOK || w.Body.String() != "ciphertext" {
		t.Errorf("after a restart: status %d, %q", w.Code, w.Body)
	}
}

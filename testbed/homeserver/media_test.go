package homeserver_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/servertest"
)

func TestLargeFilesAreTakenAndReturned(t *testing.T) {
	server, ctx := servertest.Start(t, homeserver.Options{}), servertest.Context(t, servertest.Limit)
	alice, err := server.CreateUser(ctx, "alice", "long enough")
	if err != nil {
		t.Fatal(err)
	}
	client, err := mautrix.NewClient(server.URL(), id.UserID(alice.UserID), alice.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 20<<20)
	_, _ = rand.Read(want)
	uploaded, err := client.UploadBytes(ctx, want, "application/octet-stream")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := client.DownloadBytes(ctx, uploaded.ContentURI); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	// The bridge asks for the limit before it fetches a file.
	config, err := client.GetMediaConfig(ctx)
	if err != nil || config.UploadSize != 256<<20 {
		t.Errorf("the limit is %+v, %v", config, err)
	}
}

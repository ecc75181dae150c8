package connector_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"postern/database"
)

// quiet waits until the client of alice is down and forgets that it tried to connect.
func (i *installation) quiet() {
	i.network.Client(login).Disconnect()
	select {
	case <-i.server.Called:
	default:
	}
}

func TestPushConnectsWhoIsNotConnected(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.quiet()
	i.network.Wake(context.Background(), wa, string(alice))
	<-i.server.Called
}

// TestPushEndsThePauseBetweenTwoTries: a gatekeeper that was away is asked less and less often, until it pushes. The clock is the
// real one: without pushes these tries take half a minute on average, with them five seconds at most.
func TestPushEndsThePauseBetweenTwoTries(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	<-i.server.Called
	const tries, limit = 5, 10 * time.Second
	start := time.Now()
	for range tries {
		i.network.Wake(context.Background(), wa, string(alice))
		<-i.server.Called
	}
	if took := time.Since(start); took > limit {
		t.Errorf("%d tries took %s", tries, took)
	}
}

func TestPushForOthersChangesNothing(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.quiet()
	ctx, network := context.Background(), i.network
	for _, who := range [][2]string{{wa, "@nobody:example.org"}, {"other", string(alice)}, {"", ""}} {
		if network.Asleep(ctx, who[0], who[1]) {
			t.Errorf("%q would be connected", who)
		}
	}
	if !network.Asleep(ctx, wa, string(alice)) {
		t.Fatal("alice would not be connected")
	}
	enlistment, err := network.AllEnlistments().Find(ctx, wa, string(alice))
	if err != nil {
		t.Fatal(err)
	}
	table := network.AllEnlistments()
	for _, end := range []func(context.Context, database.AccountID) error{table.MarkLapsed, table.MarkLeaving} {
		if err = end(ctx, enlistment.Account); err != nil {
			t.Fatal(err)
		}
		if network.Asleep(ctx, wa, string(alice)) {
			t.Errorf("a user who is %s would be connected", i.state())
		}
	}
}

// TestPushGoesAllTheWay: from a gatekeeper's request to a connection to that gatekeeper, as the config describes both.
func TestPushGoesAllTheWay(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &private.PublicKey, KeyID: "k1"}}}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(set) }))
	defer keys.Close()
	i := install(t)
	i.cfg.Gatekeepers[0].PushIssuer, i.cfg.Gatekeepers[0].PushKeysURL = "WHATSAPP", keys.URL
	i.restart()
	if _, err = i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.quiet()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- i.partner.Serve(ctx, listener) }()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": "WHATSAPP", "aud": i.cfg.Public.URL, "exp": time.Now().Add(time.Hour).Unix(),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest("POST", "http://"+listener.Addr().String()+"/push", strings.NewReader(`{"to":"`+string(alice)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err = response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v", response.StatusCode, err)
	}
	<-i.server.Called
	stop()
	if err = <-ended; err != nil {
		t.Error(err)
	}
}

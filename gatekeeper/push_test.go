package gatekeeper_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop/wire"
)

// servePush answers a push as the test says.
func (p *partner) servePush(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	push := p.push
	p.mu.Unlock()
	if push != nil {
		push(w, r)
	}
}

// pushed is what a partner gets.
type pushed struct{ authorization, body string }

// answerPushes makes the partner answer pushes with the statuses, one after the other, and with 200 from then on. It returns what came.
func (p *partner) answerPushes(statuses ...int) <-chan pushed {
	came := make(chan pushed, 100)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.push = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		status := http.StatusOK
		if len(statuses) > 0 {
			status, statuses = statuses[0], statuses[1:]
		}
		p.mu.Unlock()
		w.WriteHeader(status)
		came <- pushed{r.Header.Get("Authorization"), string(body)}
	}
	return came
}

func (s *sandbox) waitPush(came <-chan pushed) pushed {
	s.tb.Helper()
	select {
	case push := <-came:
		return push
	case <-time.After(patience):
		s.tb.Fatal("no push came")
		return pushed{}
	}
}

// publishedKeys are the keys that pushes are checked with.
func (s *sandbox) publishedKeys() (set jose.JSONWebKeySet) {
	s.tb.Helper()
	response, err := http.Get(s.URL() + "/.well-known/jwks")
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	if err = json.NewDecoder(response.Body).Decode(&set); err != nil {
		s.tb.Fatal(err)
	}
	return set
}

// pushClaims checks a push's signature against what is published now.
func (s *sandbox) pushClaims(push pushed) (claims jwt.Claims) {
	s.tb.Helper()
	token, err := jwt.ParseSigned(strings.TrimPrefix(push.authorization, "Bearer "), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		s.tb.Fatal(err)
	}
	set := s.publishedKeys()
	keys := set.Key(token.Headers[0].KeyID)
	if len(keys) != 1 || !keys[0].IsPublic() || !keys[0].Valid() {
		s.tb.Fatalf("%d keys are published under %q", len(keys), token.Headers[0].KeyID)
	}
	if err = token.Claims(keys[0], &claims); err != nil {
		s.tb.Fatal(err)
	}
	return claims
}

// bobWrites sends Alice a message and waits until it is stored.
func (p *pair) bobWrites(id string) {
	p.tb.Helper()
	p.bob.write(letterTo(id, p.aliceLID, p.aliceLID))
	p.bob.await("ack")
}

// aliceLeaves ends Alice's connection and waits until the gatekeeper knows.
func (p *pair) aliceLeaves() {
	p.tb.Helper()
	_ = p.alice.Close(0)
	for {
		var account struct{ Connected []int }
		p.control("GET", "/accounts/"+wire.FormatJID(p.aliceJID), nil, &account)
		if len(account.Connected) == 0 {
			return
		}
	}
}

func TestMailForWhoIsAwayIsPushedOnce(t *testing.T) {
	p := startPair(t)
	came := p.partner.answerPushes()
	p.bobWrites("B1") // connected: no push
	p.alice.await("message")
	p.alice.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "B1", "to": p.bob.number}})
	p.alice.ask("get", "w:p") // what came before it is done
	p.aliceLeaves()
	p.bobWrites("B2")
	push := p.waitPush(came)
	if push.body != `{"to":"@alice:example.org"}` {
		t.Errorf("pushed %s", push.body)
	}
	claims := p.pushClaims(push)
	if claims.Issuer != pushIssuer || len(claims.Audience) != 1 || claims.Audience[0] != p.partner.URL {
		t.Errorf("token of %q for %q", claims.Issuer, claims.Audience)
	}
	if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life != time.Hour {
		t.Errorf("token for %s", life)
	}
	p.bobWrites("B3")
	p.bobWrites("B4")
	p.alice = p.login(p.keys, p.aliceJID)
	p.aliceLeaves() // with mail left behind: that is worth another push, and the only one
	p.waitPush(came)
	if record := p.waitSaw("push"); record.To != wire.FormatJID(p.aliceJID) {
		t.Errorf("the push was recorded for %q", record.To)
	}
	p.bobWrites("B5")
	select {
	case push = <-came:
		t.Errorf("pushed again: %s", push.body)
	default:
	}
}

func TestAPushThatIsNotTakenIsTriedAgain(t *testing.T) {
	p := startPair(t)
	p.SetPushTimes(time.Minute, time.Millisecond)
	came := p.partner.answerPushes(http.StatusUnauthorized, http.StatusServiceUnavailable)
	p.aliceLeaves()
	p.bobWrites("B1")
	for range 3 {
		p.waitPush(came)
	}
	p.waitSaw("push 401")
	p.waitSaw("push 503")
	p.waitSaw("push")
}

func TestAPushThatIsRefusedForGoodIsNotTriedAgain(t *testing.T) {
	p := startPair(t)
	p.SetPushTimes(time.Minute, time.Millisecond)
	came := p.partner.answerPushes(http.StatusNotFound)
	p.aliceLeaves()
	p.bobWrites("B1")
	p.waitPush(came)
	p.waitSaw("push 404")
	p.control("POST", "/push", map[string]any{"account": "@alice:example.org"}, nil) // a second try would have come before
	if p.waitPush(came); len(came) != 0 {
		t.Error("it was tried again")
	}
}

func TestAServerStopsWhilePushesAreTried(t *testing.T) {
	p := startPair(t)
	came := p.partner.answerPushes(http.StatusServiceUnavailable)
	p.aliceLeaves()
	p.bobWrites("B1")
	p.waitPush(came)
	start := time.Now()
	if p.stop(); time.Since(start) > time.Second*2 {
		t.Errorf("it took %s", time.Since(start))
	}
}

func TestPushKeysAreRotated(t *testing.T) {
	s := start(t)
	came := s.partner.answerPushes()
	push := func() string {
		s.control("POST", "/push", map[string]any{"account": "anybody"}, nil)
		sent := s.waitPush(came)
		s.pushClaims(sent)
		return sent.authorization
	}
	first := push()
	if push() != first {
		t.Error("a fresh token was not used again")
	}
	var answer struct{ Kid string }
	s.control("POST", "/faults/rotate-push-keys", nil, &answer)
	if push() == first {
		t.Error("the old key still signs")
	}
	if set := s.publishedKeys(); len(set.Keys) != 2 || set.Keys[0].KeyID != answer.Kid {
		t.Errorf("%d keys after a rotation", len(set.Keys))
	}
	s.control("POST", "/faults/rotate-push-keys", map[string]any{"drop": true}, nil)
	if set := s.publishedKeys(); len(set.Keys) != 1 {
		t.Errorf("%d keys after all were dropped", len(set.Keys))
	}
	push()
}

func TestPushesAreSentOnDemand(t *testing.T) {
	s := start(t)
	came := s.partner.answerPushes(http.StatusTooManyRequests)
	var answer struct{ Statuses map[string]int }
	s.control("POST", "/push", map[string]any{"account": "@nobody:example.org", "times": 20}, &answer)
	if len(answer.Statuses) != 2 || answer.Statuses["200"] != 19 || answer.Statuses["429"] != 1 {
		t.Errorf("statuses %v", answer.Statuses)
	}
	if push := s.waitPush(came); push.body != `{"to":"@nobody:example.org"}` {
		t.Errorf("pushed %s", push.body)
	}
	s.partner.Close()
	s.control("POST", "/push", map[string]any{"account": "@nobody:example.org"}, &answer)
	if answer.Statuses["failed"] != 1 {
		t.Errorf("statuses %v without a partner", answer.Statuses)
	}
	if status := s.control("POST", "/push", map[string]any{"times": -1}, nil); status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
}

func TestMailThatWaitsOverARestartIsPushed(t *testing.T) {
	p := startPair(t)
	came := p.partner.answerPushes()
	p.aliceLeaves()
	p.bobWrites("B1")
	p.waitPush(came)
	p.stop()
	p.launch()
	if push := p.waitPush(came); push.body != `{"to":"@alice:example.org"}` {
		t.Errorf("pushed %s", push.body)
	}
}

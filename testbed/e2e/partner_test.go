package e2e_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"postern/testbed/sandbox"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// fire is a conversation that goes on while the partner server is put under fire.
type fire struct {
	*conversation
	stack *stack.Stack
	// written is how many messages both have written so far.
	written int
}

// TestThePartnerServerUnderFire shares one installation, which the last part leaves exhausted.
func TestThePartnerServerUnderFire(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	f := &fire{conversation: newConversation(t, ctx, s), stack: s}
	for _, part := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"what waits for a user who is away is pushed", f.testPush},
		{"a push for somebody else wakes nobody", f.testOthers},
		{"hosted files are for those who know them", f.testFiles},
		{"keys of the gatekeeper that cannot be had", f.testKeysAway},
		{"a thousand pushes at once", f.testFlood},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, within(t, limit)) })
	}
}

// goesOn lets both write and checks all that was written so far.
func (f *fire) goesOn(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := f.bothWrite(ctx, f.written, f.written+3); err != nil {
		t.Fatal(err)
	}
	f.written += 3
	f.check(t, ctx, f.written)
}

// restart makes the bridge forget the gatekeeper's keys.
func (f *fire) restart(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := f.stack.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.stack.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// pushed sends one push and checks its status.
func (f *fire) pushed(t *testing.T, ctx context.Context, name, want string) {
	t.Helper()
	statuses := must(f.stack.Gatekeeper.Push(ctx, name, 1))(t)
	if len(statuses) != 1 || statuses[want] != 1 {
		t.Errorf("a push for %s: %v, not %s", name, statuses, want)
	}
}

// lastRecord is the number of the newest thing that the gatekeeper saw.
func (f *fire) lastRecord(t *testing.T, ctx context.Context) (last int64) {
	t.Helper()
	for {
		records := must(f.stack.Gatekeeper.SawSoFar(ctx, last))(t)
		if len(records) == 0 {
			return last
		}
		last = records[len(records)-1].Seq
	}
}

const (
	// notNow is the gatekeeper's reason for a login that may work later, which makes a client wait longer each time.
	notNow = 503
	// logins that are refused keep a client away for some seconds.
	refusedLogins = 4
)

func (f *fire) testPush(t *testing.T, ctx context.Context) {
	after := f.lastRecord(t, ctx)
	if err := f.stack.Gatekeeper.RefuseLogins(ctx, f.alice.ID().String(), notNow, refusedLogins); err != nil {
		t.Fatal(err)
	}
	if err := f.stack.Gatekeeper.Drop(ctx, f.alice.ID().String()); err != nil {
		t.Fatal(err)
	}
	f.goesOn(t, ctx)
	account := must(f.stack.Gatekeeper.Account(ctx, f.alice.ID().String()))(t)
	_, err := f.stack.Gatekeeper.WaitSaw(ctx, after, "a push", func(record sandbox.Record) bool {
		return record.Kind == "push" && record.To == account.JID
	})
	if err != nil {
		t.Error(err)
	}
}

func (f *fire) testOthers(t *testing.T, ctx context.Context) {
	after := f.lastRecord(t, ctx)
	_, domain, _ := strings.Cut(f.alice.ID().String(), ":")
	for _, name := range []string{"@nobody:" + domain, strings.Replace(f.alice.ID().String(), domain, "other.example", 1), f.bob.Phone, "", "@"} {
		f.pushed(t, ctx, name, "200")
	}
	f.goesOn(t, ctx)
	for _, record := range must(f.stack.Gatekeeper.SawSoFar(ctx, after))(t) {
		if strings.HasPrefix(record.Kind, "login") {
			t.Errorf("%s connected", record.From)
		}
	}
}

// keyFetches are more than there are: the bridge that stops may be pushed to as well.
const keyFetches = 100

// testKeysAway: without the keys nobody can be woken, and nothing else is amiss.
func (f *fire) testKeysAway(t *testing.T, ctx context.Context) {
	for _, fault := range []sandbox.AnswerFault{sandbox.AnswerError, sandbox.AnswerSlow, sandbox.AnswerCut, sandbox.AnswerRubbish} {
		if err := f.stack.Gatekeeper.SpoilAnswers(ctx, sandbox.RouteKeys, fault, keyFetches); err != nil {
			t.Fatal(err)
		}
		f.restart(t, ctx)
		t.Logf("the answer is spoiled: %s", fault)
		f.pushed(t, ctx, f.alice.ID().String(), "503")
		f.goesOn(t, ctx)
	}
	if err := f.stack.Gatekeeper.SpoilAnswers(ctx, sandbox.RouteKeys, sandbox.AnswerNoFault, 0); err != nil {
		t.Fatal(err)
	}
	f.restart(t, ctx)
	f.pushed(t, ctx, f.alice.ID().String(), "200")
	f.goesOn(t, ctx) // until it does, she may still be connecting
}

// flood is how many pushes come at once for each of two users.
const flood = 1000

func (f *fire) testFlood(t *testing.T, ctx context.Context) {
	after := f.lastRecord(t, ctx)
	_, domain, _ := strings.Cut(f.alice.ID().String(), ":")
	names := []string{f.alice.ID().String(), "@nobody:" + domain}
	statuses := make([]map[string]int, len(names))
	start := time.Now()
	var group errgroup.Group
	for i, name := range names {
		group.Go(func() (err error) {
			statuses[i], err = f.stack.Gatekeeper.Push(ctx, name, flood)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pushes in %s: %v", len(names)*flood, time.Since(start).Round(time.Millisecond), statuses)
	for i, got := range statuses {
		if got["200"] == 0 || got["200"]+got["429"] != flood {
			t.Errorf("pushes for %s: %v", names[i], got)
		}
	}
	f.goesOn(t, ctx)
	for {
		records := must(f.stack.Gatekeeper.SawSoFar(ctx, after))(t)
		if len(records) == 0 {
			return
		}
		for _, record := range records {
			after = record.Seq
			if strings.HasPrefix(record.Kind, "login") {
				t.Errorf("%s connected again", record.From)
			}
		}
	}
}

// fetched asks the partner server for a path as it stands, which Go's client would clean otherwise.
func (f *fire) fetched(t *testing.T, ctx context.Context, path string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.stack.Bridge.PublicURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL = &url.URL{Scheme: "http", Host: request.URL.Host, Opaque: path}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// age is longer than hosted files are kept.
const age = 31 * 24 * time.Hour

func (f *fire) testFiles(t *testing.T, ctx context.Context) {
	mark := f.bob.Device().Mark()
	f.alice.sendsPaper(t, ctx, f.room, fileLike(paperStart, 1000))
	message := hearsNext(t, ctx, f.bob, mark)
	parts := strings.Split(strings.Trim(whatsapp.FileOf(message.Message).GetDirectPath(), "/"), "/")
	reference := parts[len(parts)-1]
	known := "/media/" + reference
	if status, body := f.fetched(t, ctx, known); status != http.StatusOK || len(body) < 1000 {
		t.Errorf("the file: status %d, %d bytes", status, len(body))
	}
	status, nothing := f.fetched(t, ctx, "/media/"+strings.Repeat("A", len(reference)))
	if status != http.StatusNotFound {
		t.Errorf("a guess: status %d", status)
	}
	for _, path := range []string{
		"/media/", "/media", "/media/" + reference[1:], "/media/" + reference + "/", "/media/" + reference + "%00", "/media//" + reference,
		"/media/../media/" + reference, "/media/..%2f" + reference, "/media/%2e%2e/config.yaml", "/media/../../postern.key",
		"/media/..%2f..%2fpostern.key", "/media/%252e%252e%252fpostern.key", `/media/..\postern.key`, "/media/" + strings.ToUpper(reference) + ".part",
	} {
		if status, body := f.fetched(t, ctx, path); status != http.StatusNotFound || string(body) != string(nothing) {
			t.Errorf("%s: status %d, %q", path, status, body)
		}
	}
	f.expire(t)
	f.restart(t, ctx)
	if status, body := f.fetched(t, ctx, known); status != http.StatusNotFound || string(body) != string(nothing) {
		t.Errorf("a file that is too old: status %d, %d bytes", status, len(body))
	}
	f.goesOn(t, ctx)
}

// expire makes all hosted files older than they may be.
func (f *fire) expire(t *testing.T) {
	t.Helper()
	dir := filepath.Join(f.stack.Bridge.Dir(), "media")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d hosted files, %v", len(files), err)
	}
	old := time.Now().Add(-age)
	for _, file := range files {
		if err = os.Chtimes(filepath.Join(dir, file.Name()), old, old); err != nil {
			t.Fatal(err)
		}
	}
}

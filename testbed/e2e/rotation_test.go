package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/provider"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
)

// rotationLimit is how long the test may take: the bridge looks at the keys once a minute.
const rotationLimit = 5 * time.Minute

// TestSigningKeysAreRotatedWhileUsersConnect: not one token is refused, whichever key signed it.
func TestSigningKeysAreRotatedWhileUsersConnect(t *testing.T) {
	_, s := own(t, stack.Options{})
	ctx := within(t, rotationLimit)
	c := newConversation(t, ctx, s)
	// A client waits longer after every cut, so they take turns.
	users := []*bridgeUser{c.alice}
	for range 3 {
		users = append(users, newEnlisted(t, ctx, s, "user"))
	}
	made := keys(t, ctx, s, "make")
	next := regexp.MustCompile(`key (\S+), which`).FindStringSubmatch(made)
	if next == nil {
		t.Fatal(made)
	}
	agePublishedKeys(t, ctx, s)
	if said := keys(t, ctx, s, "rotate"); !strings.Contains(said, next[1]+" signs from now on") {
		t.Fatal(said)
	}
	logins := 0
	for !signs(t, s, next[1]) {
		connect(t, ctx, s, users[logins%len(users)])
		logins++
	}
	t.Logf("%d logins until the new key signed", logins)
	connect(t, ctx, s, newEnlisted(t, ctx, s, "late"))
	if err := c.bothWrite(ctx, 0, 3); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, 3)
	records := must(s.Gatekeeper.SawSoFar(ctx, 0))(t)
	for _, record := range records {
		if strings.HasPrefix(record.Kind, "login refused") || strings.HasPrefix(record.Kind, "enlist ") {
			t.Errorf("the gatekeeper said no: %s", record.Kind)
		}
	}
	if listed := keys(t, ctx, s, "list"); !strings.Contains(listed, "retired") || strings.Count(listed, "\n") != 3 {
		t.Errorf("the old key is not kept: %s", listed)
	}
}

// keys runs `postern keys` beside the bridge.
func keys(t *testing.T, ctx context.Context, s *stack.Stack, verb string) string {
	t.Helper()
	binary := must(builder.Postern(ctx))(t)
	output, err := exec.CommandContext(ctx, binary, "keys", verb, "--config", s.Bridge.ConfigFile()).CombinedOutput()
	if err != nil {
		t.Fatalf("postern keys %s: %v\n%s", verb, err, output)
	}
	return string(output)
}

// agePublishedKeys makes all keys so old that they may sign, since nobody wants to wait for that in a test.
func agePublishedKeys(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	db := openDatabase(t, ctx, s)
	if _, err := db.Exec(ctx, `UPDATE postern_provider_key SET published=published-$1`, 2*provider.KeyLead.Nanoseconds()); err != nil {
		t.Fatal(err)
	}
}

// connect cuts a user's connection and waits until the gatekeeper has decided on the next login, which needs a token.
func connect(t *testing.T, ctx context.Context, s *stack.Stack, user *bridgeUser) {
	t.Helper()
	var after int64
	for {
		records := must(s.Gatekeeper.SawSoFar(ctx, after))(t)
		if len(records) == 0 {
			break
		}
		after = records[len(records)-1].Seq
	}
	if err := s.Gatekeeper.Drop(ctx, user.ID().String()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Gatekeeper.WaitSaw(ctx, after, "a login", func(record sandbox.Record) bool { return strings.HasPrefix(record.Kind, "login") })
	if err != nil {
		t.Fatal(err)
	}
}

// signs tells whether the running bridge says that it signs with the key.
func signs(t *testing.T, s *stack.Stack, kid string) bool {
	t.Helper()
	log, err := os.ReadFile(s.Bridge.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(log), kid)
}

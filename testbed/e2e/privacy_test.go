package e2e_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/libsignal/serialize"
	"go.mau.fi/util/dbutil"
	"google.golang.org/protobuf/proto"

	"postern/database"
	"postern/interop"
	"postern/testbed/leak"
	"postern/testbed/stack"
)

// TestNoSecretReachesTheDisk lets two people talk through all that makes a bridge store something, and then reads every
// file that the homeserver, the gatekeeper and the bridge wrote, databases with their journals and logs included.
func TestNoSecretReachesTheDisk(t *testing.T) {
	ctx, s := own(t, stack.Options{LogLevel: "trace"})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 2)
	room := alice.startChat(t, ctx, bob.Phone)
	texts := make(map[string]string)
	text := func(what string) string {
		texts[what] = unique("secret-" + what)
		return texts[what]
	}

	alice.writes(t, ctx, room, text("sent"))
	hears(t, ctx, bob, texts["sent"])
	tells(t, ctx, bob, alice, text("received"))
	alice.receives(t, ctx, texts["received"])
	if err := s.Gatekeeper.CorruptNext(ctx, alice.Address.String()); err != nil {
		t.Fatal(err)
	}
	tells(t, ctx, bob, alice, text("repeated"))
	alice.receives(t, ctx, texts["repeated"])

	// What waits for a server that is away is stored by the bridge. It is killed then, so that it cannot clean up.
	if err := s.Homeserver.Stop(ctx); err != nil {
		t.Log("the homeserver did not stop by itself:", err)
	}
	waiting := tells(t, ctx, bob, alice, text("waiting-for-homeserver"))
	if _, err := s.Gatekeeper.WaitMessage(ctx, waiting); err != nil {
		t.Fatal(err)
	}
	s.Bridge.Kill()
	scan(t, ctx, s, alice, texts)

	if err := s.Homeserver.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	alice.receives(t, ctx, texts["waiting-for-homeserver"])
	if err := s.Gatekeeper.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	alice.writes(t, ctx, room, text("waiting-for-gatekeeper"))
	scan(t, ctx, s, alice, texts)
	if err := s.Gatekeeper.Start(ctx); err != nil {
		t.Fatal(err)
	}
	hears(t, ctx, bob, texts["waiting-for-gatekeeper"])
	scan(t, ctx, s, alice, texts)
}

// tokenStart is how every identity token begins: its header, {"alg":"RS256", in base64url.
const tokenStart = "eyJhbGciOiJSUzI1NiIs"

// scan reads everything. Nobody but the two people may know the texts. The keys and tokens are known to those who need
// them, and must not be anywhere else: the homeserver keeps its users' tokens, and the admin's files hold those that
// bridge and homeserver share.
func scan(t *testing.T, ctx context.Context, s *stack.Stack, alice *bridgeUser, texts map[string]string) {
	t.Helper()
	checkScanner(t, alice.ID().String(), foldersOf(s, "homeserver", "gatekeeper", "bridge")...)
	var secrets []leak.Secret
	for what, text := range texts {
		secrets = append(secrets, leak.Secret{What: "text " + what, Value: []byte(text)})
	}
	report(t, secrets, nil, foldersOf(s, "homeserver", "gatekeeper", "bridge")...)

	config, err := s.Bridge.Secrets()
	if err != nil {
		t.Fatal(err)
	}
	tokens := []leak.Secret{
		{What: "the user's access token", Value: []byte(alice.Client.AccessToken)},
		{What: "the appservice's token", Value: []byte(config.ASToken)},
		{What: "the homeserver's token", Value: []byte(config.HSToken)},
		{What: "the double puppets' token", Value: []byte(config.DoublePuppetToken)},
		{What: "the provisioning secret", Value: []byte(config.ProvisioningSecret)},
		{What: "an identity token", Value: []byte(tokenStart)},
	}
	adminFiles := append([]string{s.Bridge.ConfigFile()}, s.Bridge.Registrations()...)
	report(t, tokens, adminFiles, foldersOf(s, "gatekeeper", "bridge")...)

	report(t, privateKeys(t, ctx, s), []string{s.Bridge.SecretKeyFile()}, foldersOf(s, "homeserver", "gatekeeper", "bridge")...)
}

// checkScanner looks for something that has to be in the files, to see that looking finds.
func checkScanner(t *testing.T, known string, dirs ...string) {
	t.Helper()
	scanner, err := leak.NewScanner(leak.Secret{What: "the user's Matrix ID", Value: []byte(known)})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if findings, _, err := scanner.Tree(dir); err != nil || len(findings) == 0 {
			t.Errorf("the Matrix ID is not found in %s: %v", dir, err)
		}
	}
}

func report(t *testing.T, secrets []leak.Secret, except []string, dirs ...string) {
	t.Helper()
	scanner, err := leak.NewScanner(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	findings, read, err := scanner.Tree(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range findings {
		if !slices.Contains(except, finding.File) {
			t.Error("found", finding)
		}
	}
	t.Logf("read %d KiB for %d secrets", read>>10, len(secrets))
}

// privateKeys opens a copy of the bridge's database with the secret key, the way the bridge does.
func privateKeys(t *testing.T, ctx context.Context, s *stack.Stack) []leak.Secret {
	t.Helper()
	raw := copyOfDatabase(t, ctx, s)
	text, err := os.ReadFile(s.Bridge.SecretKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	key, err := database.ParseSecretKey(string(text))
	if err != nil {
		t.Fatal(err)
	}
	db := database.New(raw, key, zerolog.Nop())
	enlistments, err := db.Enlistments().List(ctx)
	if err != nil || len(enlistments) == 0 {
		t.Fatalf("no enlistments in the bridge's database: %v", err)
	}
	secrets := []leak.Secret{{What: "the secret key", Value: text[:len(text)-1]}}
	for _, enlistment := range enlistments {
		secrets = append(secrets,
			leak.Secret{What: "a Noise key", Value: enlistment.Keys.Noise.Priv[:]},
			leak.Secret{What: "a Signal identity key", Value: enlistment.Keys.Identity.Priv[:]})
		signed, err := db.AccountStore(enlistment.Account).LoadSignedPreKey(ctx, 0)
		if err != nil || signed == nil {
			t.Fatalf("no signed prekey in the bridge's database: %v", err)
		}
		secrets = append(secrets, leak.Secret{What: "a signed prekey", Value: signed.Priv[:]})
		secrets = append(secrets, preKeys(t, ctx, db.AccountStore(enlistment.Account))...)
		secrets = append(secrets, sessionKeys(t, ctx, raw, db.AccountStore(enlistment.Account))...)
	}
	signing, err := db.ProviderKeys().SigningKeys(ctx)
	if err != nil || len(signing) == 0 {
		t.Fatalf("no signing key in the bridge's database: %v", err)
	}
	for _, stored := range signing {
		// The second half holds the primes; the first holds the public modulus, too.
		secrets = append(secrets, leak.Secret{What: "the key that signs tokens", Value: stored.PKCS8[len(stored.PKCS8)/2:][:64]})
	}
	return secrets
}

// preKeys are the one-time prekeys that were not used yet.
func preKeys(t *testing.T, ctx context.Context, store *database.AccountStore) (secrets []leak.Secret) {
	t.Helper()
	last, err := store.LastPreKeyID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id := range last {
		key, err := store.LoadPreKey(ctx, id+1)
		if err != nil {
			t.Fatal(err)
		} else if key != nil {
			secrets = append(secrets, leak.Secret{What: "a one-time prekey", Value: key.Priv[:]})
		}
	}
	if len(secrets) == 0 {
		t.Fatal("no one-time prekeys in the bridge's database")
	}
	return secrets
}

// sessionKeys are what the next messages of all sessions of the one account that there is will be encrypted with.
func sessionKeys(t *testing.T, ctx context.Context, raw *dbutil.Database, store *database.AccountStore) (secrets []leak.Secret) {
	t.Helper()
	rows, err := raw.Query(ctx, "SELECT address FROM postern_session")
	texts, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil || len(texts) == 0 {
		t.Fatalf("no sessions in the bridge's database: %v", err)
	}
	for _, text := range texts {
		parts := strings.Split(text, "/")
		device, err := strconv.ParseUint(parts[3], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		data, err := store.LoadSession(ctx, interop.Address{Server: parts[0], User: parts[2], Device: uint16(device)})
		if err != nil || data == nil {
			t.Fatalf("session cannot be loaded: %v", err)
		}
		var record serialize.RecordStructure
		if err = proto.Unmarshal(data, &record); err != nil {
			t.Fatal(err)
		}
		session := record.GetCurrentSession()
		secrets = append(secrets,
			leak.Secret{What: "a session's root key", Value: session.GetRootKey()},
			leak.Secret{What: "a session's ratchet key", Value: session.GetSenderChain().GetSenderRatchetKeyPrivate()},
			leak.Secret{What: "a session's chain key", Value: session.GetSenderChain().GetChainKey().GetKey()})
		for _, chain := range session.GetReceiverChains() {
			secrets = append(secrets, leak.Secret{What: "a contact's chain key", Value: chain.GetChainKey().GetKey()})
		}
	}
	return secrets
}

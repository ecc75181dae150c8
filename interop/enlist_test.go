package interop_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// enlistAt asks a gatekeeper that gives the answer, and checks the form.
func enlistAt(t *testing.T, keys interop.Keys, tokens interop.TokenSource, status int, answer string) (types.JID, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		checkForm(t, r, keys)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	location, err := url.Parse(server.URL + "/3p/interop_reg")
	if err != nil {
		t.Fatal(err)
	}
	gatekeeper := &interop.Gatekeeper{Integrator: 7, EnlistURL: location, Audience: "aud", ProtocolVersion: [3]uint32{1, 0, 3}}
	return interop.Enlist(context.Background(), nil, gatekeeper, tokens, "@alice:example.org", keys)
}

func checkForm(t *testing.T, r *http.Request, keys interop.Keys) {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		t.Errorf("%s: %v", r.Method, err)
	}
	decoded := make(map[string][]byte)
	for name, size := range map[string]int{
		"authkey": 32, "e_keytype": 1, "e_regid": 4, "e_ident": 32, "e_skey_id": 3, "e_skey_val": 32, "e_skey_sig": 64,
	} {
		data, err := base64.RawURLEncoding.DecodeString(r.PostForm.Get(name))
		if err != nil || len(data) != size {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
			return
		}
		decoded[name] = data
	}
	if [32]byte(decoded["authkey"]) != keys.Noise.Pub || [32]byte(decoded["e_ident"]) != keys.Identity.Pub || decoded["e_keytype"][0] != 5 ||
		binary.BigEndian.Uint32(decoded["e_regid"]) != keys.RegistrationID || string(decoded["e_skey_id"]) != "\x00\x00\x01" {
		t.Error("the form holds other keys")
	}
	public := ecc.NewDjbECPublicKey([32]byte(decoded["e_skey_val"]))
	if !ecc.VerifySignature(ecc.NewDjbECPublicKey(keys.Identity.Pub), public.Serialize(), [64]byte(decoded["e_skey_sig"])) {
		t.Error("signed prekey is not signed by the identity key")
	}
	if got := r.PostForm.Get("token"); got != "token 1 for @alice:example.org at aud" {
		t.Errorf("token %q", got)
	}
	if got := r.PostForm.Get("version"); got != "1.0.3" {
		t.Errorf("version %q", got)
	}
	if len(r.PostForm) != 9 {
		t.Errorf("form has %d arguments", len(r.PostForm))
	}
}

func TestEnlist(t *testing.T) {
	jid, err := enlistAt(t, interop.NewKeys(), &tokenSource{}, http.StatusOK, `{"status":"ok","login":"7-10853634039893@interop"}`)
	if want := (types.JID{User: "10853634039893", Server: types.InteropServer, Integrator: 7}); err != nil || jid != want {
		t.Errorf("got %+v, %v", jid, err)
	}
}

func TestEnlistRefused(t *testing.T) {
	for _, reason := range []string{"bad_integrator", "bad_token", strings.Repeat("x", 1000)} {
		_, err := enlistAt(t, interop.NewKeys(), &tokenSource{}, http.StatusOK, fmt.Sprintf(`{"status":"fail","reason":%q}`, reason))
		var refusal *interop.EnlistError
		if !errors.As(err, &refusal) || !strings.HasPrefix(reason, refusal.Reason) || len(refusal.Reason) > 200 {
			t.Errorf("got %v", err)
		}
	}
}

func TestEnlistAnswersThatMakeNoSense(t *testing.T) {
	for name, answer := range map[string]string{
		"Empty":           "",
		"NotJSON":         "<html>",
		"NoStatus":        `{}`,
		"NoLogin":         `{"status":"ok"}`,
		"OtherIntegrator": `{"status":"ok","login":"8-10853634039893@interop"}`,
		"OtherServer":     `{"status":"ok","login":"10853634039893@s.whatsapp.net"}`,
		"Device":          `{"status":"ok","login":"7-10853634039893:1@interop"}`,
		"NotANumber":      `{"status":"ok","login":"7-alice@interop"}`,
		"TooLong":         `{"status":"ok","login":"7-99999999999999999999@interop"}`,
		"Endless":         strings.Repeat(" ", 1<<20),
	} {
		jid, err := enlistAt(t, interop.NewKeys(), &tokenSource{}, http.StatusOK, answer)
		var refusal *interop.EnlistError
		if err == nil || errors.As(err, &refusal) {
			t.Errorf("%s: got %v, %v", name, jid, err)
		}
	}
	if _, err := enlistAt(t, interop.NewKeys(), &tokenSource{}, http.StatusBadGateway, `{"status":"ok","login":"7-1@interop"}`); err == nil {
		t.Error("an answer with status 502 was believed")
	}
	trouble := errors.New("no key")
	if _, err := enlistAt(t, interop.NewKeys(), &tokenSource{err: trouble}, http.StatusOK, ""); !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
}

func TestKeysRoundTrip(t *testing.T) {
	keys := interop.NewKeys()
	if keys.RegistrationID < 1 || keys.RegistrationID > 16380 || keys.SignedPreKey.ID == 0 {
		t.Errorf("registration id %d, signed prekey %d", keys.RegistrationID, keys.SignedPreKey.ID)
	}
	data, err := keys.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var read interop.Keys
	if err = read.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if read.Noise != keys.Noise || read.Identity != keys.Identity || read.RegistrationID != keys.RegistrationID ||
		read.SignedPreKey.PreKey != keys.SignedPreKey.PreKey || read.SignedPreKey.Signature != keys.SignedPreKey.Signature ||
		read.SignedPreKey.Created.Unix() != keys.SignedPreKey.Created.Unix() {
		t.Error("keys changed on the way")
	}
	before := read
	for _, bad := range [][]byte{nil, data[1:], append([]byte{2}, data[1:]...), append(data, 0)} {
		if read.UnmarshalBinary(bad) == nil {
			t.Errorf("%d bytes were taken for keys", len(bad))
		}
	}
	if read != before {
		t.Error("a failure changed the keys")
	}
}

func TestKeysDoNotShowInText(t *testing.T) {
	keys := interop.NewKeys()
	account := interop.Account{JID: aliceJID, Keys: keys}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, value := range []any{keys.Noise, &keys.Noise, keys, account, &account} {
			shown := fmt.Sprintf(verb, value)
			for _, pair := range []interop.KeyPair{keys.Noise, keys.Identity, keys.SignedPreKey.KeyPair} {
				for _, form := range []string{"%x", "%v", "%d", "%s", "%X"} {
					if secret := strings.Trim(fmt.Sprintf(form, pair.Priv), "[]"); strings.Contains(shown, secret) {
						t.Errorf("%s of %T shows a private key", verb, value)
					}
				}
			}
		}
	}
}

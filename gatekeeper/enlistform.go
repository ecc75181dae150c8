package gatekeeper

import (
	"encoding/base64"
	"encoding/binary"
	"net/url"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/gatekeeper/token"
)

// Reasons of a refused enlistment. Only bad_integrator is public, see docs/protocol.md.
const (
	reasonBadIntegrator = "bad_integrator"
	reasonBadToken      = "bad_token"
	reasonBadRequest    = "bad_request"
	reasonBadSignature  = "bad_signature"
	reasonOldVersion    = "old_version"
	reasonUnavailable   = "temporarily_unavailable"
)

// enlistForm is a checked enlistment request.
type enlistForm struct {
	device  state.Device // all but the JID
	token   string
	version Version
}

// parseEnlistForm checks the form's fields. It returns a reason if one is wrong.
func parseEnlistForm(form url.Values) (request *enlistForm, reason string) {
	request = &enlistForm{token: form.Get("token")}
	d := &request.device
	var authKey, keyType, registration, signedID []byte
	for _, field := range []struct {
		name string
		into *[]byte
		size int
	}{
		{"authkey", &authKey, 32}, {"e_keytype", &keyType, 1}, {"e_regid", &registration, 4}, {"e_ident", &d.Identity, 32},
		{"e_skey_id", &signedID, 3}, {"e_skey_val", &d.SignedKey, 32}, {"e_skey_sig", &d.SignedSig, 64},
	} {
		// The strict form refuses a second spelling of the same bytes.
		value, err := base64.RawURLEncoding.Strict().DecodeString(form.Get(field.name))
		if err != nil || len(value) != field.size || len(form[field.name]) != 1 {
			return nil, reasonBadRequest
		}
		*field.into = value
	}
	if keyType[0] != ecc.DjbType || request.token == "" || len(request.token) > token.MaxToken {
		return nil, reasonBadRequest
	}
	d.Noise = [32]byte(authKey)
	d.RegistrationID = binary.BigEndian.Uint32(registration)
	d.SignedID = binary.BigEndian.Uint32(append([]byte{0}, signedID...))
	if d.RegistrationID == 0 || d.SignedID == 0 {
		return nil, reasonBadRequest
	}
	if !validSignedPreKey(d.Identity, d.SignedKey, d.SignedSig) {
		return nil, reasonBadSignature
	}
	version, err := ParseVersion(form.Get("version"))
	if err != nil {
		return nil, reasonBadRequest
	}
	request.version = version
	return request, ""
}

// validSignedPreKey checks the identity key's signature over a signed prekey. What is signed is the key with its type.
func validSignedPreKey(identity, key, signature []byte) bool {
	if len(identity) != 32 || len(key) != 32 || len(signature) != 64 {
		return false
	}
	signed := append([]byte{ecc.DjbType}, key...)
	return ecc.VerifySignature(ecc.NewDjbECPublicKey([32]byte(identity)), signed, [64]byte(signature))
}

// interopDevice is the number of an interop account's only device.
func interopDevice(account types.JID) types.JID {
	account.Device = 0
	return account
}

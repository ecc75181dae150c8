package puppet_test

import (
	"bytes"
	"encoding/hex"
	"image"
	_ "image/png"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/puppet"
)

func key(t *testing.T, text string) [32]byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != 32 {
		t.Fatalf("not a key: %q", text)
	}
	return [32]byte(data)
}

func filled(b byte) [32]byte { return [32]byte(bytes.Repeat([]byte{b}, 32)) }

func counting() (key [32]byte) {
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

// The first is the published vector of libsignal's NumericFingerprintGeneratorTest. The others were computed by a few lines
// of Python that follow docs/protocol.md.
func TestSecurityCodeIsThatOfTheSpecification(t *testing.T) {
	alice := puppet.Party{Identifier: "@alice:example.org", Keys: [][32]byte{counting()}}
	for name, test := range map[string]struct {
		a, b puppet.Party
		code string
	}{
		"Signal's own vector": {
			puppet.Party{Identifier: "+14152222222", Keys: [][32]byte{key(t, "06863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868")}},
			puppet.Party{Identifier: "+14153333333", Keys: [][32]byte{key(t, "f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b")}},
			"300354477692869396892869876765458257569162576843440918079131",
		},
		"a contact with one device": {
			alice, puppet.Party{Identifier: "+4915112345678", Keys: [][32]byte{filled(0xf0)}},
			"393951679133780692876386763771695429075777029163743148382386",
		},
		"a contact with two devices": {
			alice, puppet.Party{Identifier: "+4915112345678", Keys: [][32]byte{filled(0xf0), filled(0x10)}},
			"507227384371379825611301188292695429075777029163743148382386",
		},
		"devices named in another order, one of them twice": {
			alice, puppet.Party{Identifier: "+4915112345678", Keys: [][32]byte{filled(0x10), filled(0xf0), filled(0x10)}},
			"507227384371379825611301188292695429075777029163743148382386",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if code := puppet.SecurityCode(test.a, test.b); code != test.code {
				t.Errorf("code is %s, want %s", code, test.code)
			}
			if code := puppet.SecurityCode(test.b, test.a); code != test.code {
				t.Errorf("the other side sees %s, want %s", code, test.code)
			}
		})
	}
}

func TestKeysHashKnowsASetOfKeys(t *testing.T) {
	one := puppet.Party{Keys: [][32]byte{filled(1), filled(2)}}
	same := puppet.Party{Identifier: "of no matter", Keys: [][32]byte{filled(2), filled(1), filled(1)}}
	other := puppet.Party{Keys: [][32]byte{filled(1)}}
	if !bytes.Equal(one.KeysHash(), same.KeysHash()) {
		t.Error("the same keys have two hashes")
	}
	if bytes.Equal(one.KeysHash(), other.KeysHash()) {
		t.Error("different keys have one hash")
	}
}

func TestSecurityCodeIsReadable(t *testing.T) {
	const want = "30035 44776 92869 39689\n28698 76765 45825 75691\n62576 84344 09180 79131"
	if text := puppet.FormatSecurityCode("300354477692869396892869876765458257569162576843440918079131"); text != want {
		t.Errorf("code is shown as %q", text)
	}
}

func TestCodeIdentifierIsThePhoneNumber(t *testing.T) {
	if name := puppet.CodeIdentifier(types.JID{User: "4915112345678", Server: types.DefaultUserServer, Device: 3}); name != "+4915112345678" {
		t.Errorf("identifier is %q", name)
	}
	if name := puppet.CodeIdentifier(types.NewJID("130455123456789", types.HiddenUserServer)); name != "130455123456789@lid" {
		t.Errorf("identifier is %q", name)
	}
}

func TestCodeImageIsAPicture(t *testing.T) {
	data, size, err := puppet.CodeImage("300354477692869396892869876765458257569162576843440918079131")
	if err != nil {
		t.Fatal(err)
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if bounds := picture.Bounds(); bounds.Dx() != size || bounds.Dy() != size {
		t.Errorf("picture has %v, want %d by %d", bounds, size, size)
	}
}

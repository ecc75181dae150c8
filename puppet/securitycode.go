package puppet

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/skip2/go-qrcode"
	"go.mau.fi/whatsmeow/types"
)

const (
	// codeVersion and codeRounds are those of Signal's numeric fingerprints, whose form WhatsApp's users know.
	codeVersion = 0
	codeRounds  = 5200
	// keyType goes in front of a Curve25519 key wherever Signal serializes one.
	keyType = 0x05
	// codeGroup is how many digits people read at once. A half of the code has 6 groups, each made of 5 bytes.
	codeGroup = 5
	// codeImageSize is the width and height of the QR image, in pixels.
	codeImageSize = 320
)

// Party is one side of a security code: who it is, and all the identity keys that they have, in any order.
type Party struct {
	Identifier string
	Keys       [][32]byte
}

// SecurityCode returns the 60 digits that two people compare: equal for both of them, and another if a key is not the one
// that its owner has. It costs about 10,400 rounds of SHA-512, some milliseconds.
//
// The computation is Signal's NumericFingerprintGenerator; the Signal library here has only a part of it. How WhatsApp
// names the two sides of a third-party chat, and in which way it takes in several devices, is not public: that is our choice,
// and made where a Party is made and here.
func SecurityCode(a, b Party) string {
	first, second := a.half(), b.half()
	if second < first {
		first, second = second, first
	}
	return first + second
}

func (p *Party) half() string {
	keys := p.serializedKeys()
	hash := binary.BigEndian.AppendUint16(nil, codeVersion)
	hash = append(append(hash, keys...), p.Identifier...)
	for range codeRounds {
		sum := sha512.Sum512(append(hash, keys...))
		hash = sum[:]
	}
	var digits strings.Builder
	for chunk := range slices.Chunk(hash[:30], codeGroup) {
		number := binary.BigEndian.Uint64(append([]byte{0, 0, 0}, chunk...))
		fmt.Fprintf(&digits, "%05d", number%100000)
	}
	return digits.String()
}

// serializedKeys puts the keys into one order and leaves out what is there twice.
func (p *Party) serializedKeys() []byte {
	keys := slices.Clone(p.Keys)
	slices.SortFunc(keys, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	var all []byte
	for _, key := range slices.Compact(keys) {
		all = append(append(all, keyType), key[:]...)
	}
	return all
}

// KeysHash tells sets of keys apart, for [Contact.Compared].
func (p *Party) KeysHash() []byte {
	sum := sha256.Sum256(p.serializedKeys())
	return sum[:]
}

// CodeIdentifier names a contact in security codes: by the phone number, else by the account.
func CodeIdentifier(jid types.JID) string {
	if phone := Phone(jid); phone != "" {
		return phone
	}
	return jid.ToNonAD().String()
}

// FormatSecurityCode writes a code as people read it: 12 groups of 5 digits in 3 lines.
func FormatSecurityCode(code string) string {
	var text strings.Builder
	for i := 0; i < len(code); i += codeGroup {
		switch {
		case i == 0:
		case i%(4*codeGroup) == 0:
			text.WriteByte('\n')
		default:
			text.WriteByte(' ')
		}
		text.WriteString(code[i:min(len(code), i+codeGroup)])
	}
	return text.String()
}

// CodeImage is a PNG of the QR code that holds the digits and nothing else.
func CodeImage(code string) (png []byte, size int, err error) {
	png, err = qrcode.Encode(code, qrcode.Medium, codeImageSize)
	if err != nil {
		return nil, 0, fmt.Errorf("failed to draw a QR code: %w", err)
	}
	return png, codeImageSize, nil
}

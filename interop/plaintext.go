package interop

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

const (
	// maxPadding is the most padding that is added to a plain text; the least is 1 byte. Each byte holds the number.
	maxPadding = 15
	// maxMessageDepth bounds how deep a received protobuf nests. A reply to a message takes three levels.
	maxMessageDepth = 64
)

// errBadPlaintext: a message was decrypted, but what was in it is not a padded waE2E.Message. Asking for it again would
// give the same.
var errBadPlaintext = errors.New("malformed message in the ciphertext")

// pad returns the plain text with padding, in a slice of its own.
func pad(plaintext []byte) []byte {
	count := 1 + rand.IntN(maxPadding) // hides the length a little; nothing depends on its being unpredictable
	padded := make([]byte, len(plaintext)+count)
	for i := copy(padded, plaintext); i < len(padded); i++ {
		padded[i] = byte(count)
	}
	return padded
}

// unpad returns the part of padded that is not padding. Other clients may pad with up to 255 bytes.
func unpad(padded []byte) ([]byte, error) {
	if len(padded) == 0 {
		return nil, fmt.Errorf("%w: empty", errBadPlaintext)
	}
	last := padded[len(padded)-1]
	count := int(last)
	if count == 0 || count > len(padded) {
		return nil, fmt.Errorf("%w: bad padding", errBadPlaintext)
	}
	text, padding := padded[:len(padded)-count], padded[len(padded)-count:]
	if bytes.Count(padding, []byte{last}) != count {
		return nil, fmt.Errorf("%w: bad padding", errBadPlaintext)
	}
	return text, nil
}

// The envelope is what the inbox holds of a message: a byte of flags and the padded plain text.
const (
	// envelopeNewIdentity: the message was the first under a changed identity key. Kept with the message, so that the
	// event is not lost if the program ends before it is delivered.
	envelopeNewIdentity = 1 << iota
)

func sealEnvelope(padded []byte, newIdentity bool) []byte {
	envelope := make([]byte, 1+len(padded))
	if newIdentity {
		envelope[0] |= envelopeNewIdentity
	}
	copy(envelope[1:], padded)
	return envelope
}

// openEnvelope reads what sealEnvelope wrote. newIdentity is set even if the message is malformed.
func openEnvelope(envelope []byte) (message *waE2E.Message, newIdentity bool, err error) {
	if len(envelope) == 0 {
		return nil, false, fmt.Errorf("%w: no envelope", errBadPlaintext)
	}
	newIdentity = envelope[0]&envelopeNewIdentity != 0
	plaintext, err := unpad(envelope[1:])
	if err != nil {
		return nil, newIdentity, err
	}
	message = new(waE2E.Message)
	if err = (proto.UnmarshalOptions{RecursionLimit: maxMessageDepth}).Unmarshal(plaintext, message); err != nil {
		// The library's error may quote field contents.
		return nil, newIdentity, fmt.Errorf("%w: not a protobuf", errBadPlaintext)
	}
	return message, newIdentity, nil
}

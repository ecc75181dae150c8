package peer

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// noiseBytes is the ciphertext of a message of some 40 characters.
const noiseBytes = 130

// Message makes a stanza with a ciphertext for one device.
func Message(device types.JID, kind string, ciphertext []byte) ([]byte, error) {
	return wire.EncodeStanza(waBinary.Node{
		Tag:   "message",
		Attrs: waBinary.Attrs{"id": newMessageID(), "type": "text", "to": device.ToNonAD()},
		Content: []waBinary.Node{{Tag: "participants", Content: []waBinary.Node{{
			Tag: "to", Attrs: waBinary.Attrs{"jid": device},
			Content: []waBinary.Node{{
				Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": kind}, Content: ciphertext,
			}},
		}}}},
	})
}

// Noise makes stanzas for Send whose ciphertext nobody can decrypt, of the size that a short message has.
func Noise(device types.JID, messages int) ([][]byte, error) {
	stanzas := make([][]byte, messages)
	for i := range stanzas {
		ciphertext := make([]byte, noiseBytes)
		_, _ = rand.Read(ciphertext) // never fails, see its documentation
		var err error
		if stanzas[i], err = Message(device, "msg", ciphertext); err != nil {
			return nil, err
		}
	}
	return stanzas, nil
}

// newMessageID looks like the ids of WhatsApp's own clients.
func newMessageID() string {
	var random [9]byte
	_, _ = rand.Read(random[:]) // never fails, see its documentation
	return "3EB0" + strings.ToUpper(hex.EncodeToString(random[:]))
}

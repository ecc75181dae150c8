package interop

import (
	"encoding/binary"
	"fmt"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/util/optional"
	waBinary "go.mau.fi/whatsmeow/binary"
)

// preKeyBundle is what is needed to start a session with a device.
type preKeyBundle struct {
	registrationID uint32
	identity       [32]byte
	signedID       uint32
	signed         [32]byte
	signature      [64]byte
	oneTimeID      uint32 // 0 if there is no one-time key
	oneTime        [32]byte
}

func (b *preKeyBundle) toSignal(device uint32) *prekey.Bundle {
	var oneTime ecc.ECPublicKeyable
	oneTimeID := optional.NewEmptyUint32()
	if b.oneTimeID != 0 {
		oneTime, oneTimeID = ecc.NewDjbECPublicKey(b.oneTime), optional.NewOptionalUint32(b.oneTimeID)
	}
	return prekey.NewBundle(b.registrationID, device, oneTimeID, b.signedID, oneTime,
		ecc.NewDjbECPublicKey(b.signed), b.signature, identity.NewKey(ecc.NewDjbECPublicKey(b.identity)))
}

// parseBundle reads the keys of a device from a user node of a key answer, or from a retry receipt, where they are one
// level deeper. The signature is checked when the bundle is used.
func parseBundle(node *waBinary.Node) (*preKeyBundle, error) {
	bundle := new(preKeyBundle)
	registration := bytesOf(child(node, "registration"))
	if len(registration) != 4 {
		return nil, fmt.Errorf("%w: registration id of %d bytes", errBadBundle, len(registration))
	}
	bundle.registrationID = binary.BigEndian.Uint32(registration)
	keys := node
	if inner := child(node, "keys"); inner != nil {
		keys = inner
	}
	if kind := child(keys, "type"); kind != nil && string(bytesOf(kind)) != string([]byte{djbType}) {
		return nil, fmt.Errorf("%w: unknown type of key", errBadBundle)
	}
	if err := readBytes(child(keys, "identity"), bundle.identity[:]); err != nil {
		return nil, err
	}
	signed := child(keys, "skey")
	if err := readBytes(child(signed, "signature"), bundle.signature[:]); err != nil {
		return nil, err
	}
	var err error
	if bundle.signedID, err = readPreKey(signed, &bundle.signed); err != nil {
		return nil, err
	}
	if oneTime := child(keys, "key"); oneTime != nil {
		if bundle.oneTimeID, err = readPreKey(oneTime, &bundle.oneTime); err != nil {
			return nil, err
		}
	}
	return bundle, nil
}

func readPreKey(node *waBinary.Node, public *[32]byte) (id uint32, err error) {
	var idBytes [3]byte
	if err = readBytes(child(node, "id"), idBytes[:]); err != nil {
		return 0, err
	} else if err = readBytes(child(node, "value"), public[:]); err != nil {
		return 0, err
	}
	return uint32(idBytes[0])<<16 | uint32(idBytes[1])<<8 | uint32(idBytes[2]), nil
}

// readBytes copies a node's content, which must have exactly the length of target.
func readBytes(node *waBinary.Node, target []byte) error {
	if node == nil {
		return fmt.Errorf("%w: part missing", errBadBundle)
	}
	content := bytesOf(node)
	if len(content) != len(target) {
		return fmt.Errorf("%w: %s of %d bytes, want %d", errBadBundle, node.Tag, len(content), len(target))
	}
	copy(target, content)
	return nil
}

// preKeyNode is a one-time prekey for the gatekeeper or for a retry receipt.
func preKeyNode(key PreKey) waBinary.Node {
	return waBinary.Node{Tag: "key", Content: []waBinary.Node{
		{Tag: "id", Content: preKeyID(key.ID)},
		{Tag: "value", Content: key.Pub[:]},
	}}
}

// signedPreKeyNode is a signed prekey for the gatekeeper or for a retry receipt.
func signedPreKeyNode(key *SignedPreKey) waBinary.Node {
	return waBinary.Node{Tag: "skey", Content: []waBinary.Node{
		{Tag: "id", Content: preKeyID(key.ID)},
		{Tag: "value", Content: key.Pub[:]},
		{Tag: "signature", Content: key.Signature[:]},
	}}
}

// preKeyID is an id in its 3 bytes on the wire.
func preKeyID(id uint32) []byte { return []byte{byte(id >> 16), byte(id >> 8), byte(id)} }

// registrationNode is our registration id in its 4 bytes on the wire.
func registrationNode(id uint32) waBinary.Node {
	return waBinary.Node{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, id)}
}

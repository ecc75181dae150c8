package gatekeeper

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"

	"go.mau.fi/libsignal/ecc"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

const (
	// maxUpload is how many one-time prekeys one upload may have: the number that WhatsApp's clients send at first.
	maxUpload = 812
	// maxPreKeys is how many one-time prekeys a device may have in store; a digest has to fit into a stanza.
	maxPreKeys = 1000
	// lowPreKeys: with fewer left, the device is asked for more.
	lowPreKeys = 10
	// maxBundles is how many devices' keys one request may ask for.
	maxBundles = 256
)

// handleEncryptGet answers how many prekeys are left, what they are, or with the keys of other devices.
func (c *session) handleEncryptGet(iq *waBinary.Node) ([]waBinary.Node, error) {
	if child(iq, "count").Tag != "" {
		count, err := c.server.state.PreKeyCount(c.ctx, c.device)
		return []waBinary.Node{{Tag: "count", Attrs: waBinary.Attrs{"value": count}}}, err
	}
	if child(iq, "digest").Tag != "" {
		return c.digest()
	}
	wanted := child(iq, "key").GetChildren()
	if len(wanted) == 0 || len(wanted) > maxBundles {
		return nil, errBadRequest
	}
	users := make([]waBinary.Node, 0, len(wanted))
	for i := range wanted {
		device, ok := jid(&wanted[i], "jid")
		if !ok {
			return nil, errBadRequest
		}
		answer, err := c.bundle(device)
		var refusal *stanzaError
		if errors.As(err, &refusal) {
			answer = []waBinary.Node{errorNode(refusal)}
		} else if err != nil {
			return nil, err
		}
		users = append(users, waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": device, "t": c.server.clock.unix()}, Content: answer})
	}
	return []waBinary.Node{{Tag: "list", Content: users}}, nil
}

// bundle hands out the keys of one device, a one-time prekey among them if there is one left.
func (c *session) bundle(address types.JID) ([]waBinary.Node, error) {
	self, err := c.self()
	if err != nil {
		return nil, err
	}
	owner, err := c.server.directory.find(c.ctx, address)
	if errors.Is(err, state.ErrUnknown) || err == nil && !owner.hasDevice(address.Device) {
		return nil, errNoSuchUser
	} else if err != nil {
		return nil, err
	} else if owner.JID != self.JID && !mayWrite(self, owner) {
		return nil, errForbidden
	}
	device, err := c.server.state.Device(c.ctx, owner.as(true, address.Device))
	if err != nil {
		return nil, err
	}
	oneTime, err := c.server.state.TakePreKey(c.ctx, device.JID)
	if err != nil {
		return nil, err
	}
	nodes := append(identityNodes(device), preKeyNode("skey", device.SignedID, device.SignedKey, device.SignedSig))
	if oneTime != nil {
		nodes = append(nodes, preKeyNode("key", oneTime.ID, oneTime.Key, nil))
	}
	return nodes, c.warnIfLow(device.JID)
}

// warnIfLow asks the device for more prekeys at the moment they run low, and again when none are left.
func (c *session) warnIfLow(device types.JID) error {
	left, err := c.server.state.PreKeyCount(c.ctx, device)
	if err == nil && (left == lowPreKeys-1 || left == 0) {
		return c.server.askForPreKeys(device, left)
	}
	return err
}

// digest describes the device's own keys, so that a client can tell whether we have what it thinks we have.
func (c *session) digest() ([]waBinary.Node, error) {
	device, err := c.server.state.Device(c.ctx, c.device)
	if err != nil {
		return nil, err
	} else if device.Identity == nil {
		return nil, errNoSuchUser
	}
	keys, err := c.server.state.PreKeys(c.ctx, c.device)
	if err != nil {
		return nil, err
	}
	hash := sha1.New() // a checksum, not a signature; the size is that of WhatsApp's
	hash.Write(device.Identity)
	hash.Write(device.SignedKey)
	hash.Write(device.SignedSig)
	ids := make([]waBinary.Node, len(keys))
	for i, key := range keys {
		hash.Write(key.Key)
		ids[i] = waBinary.Node{Tag: "id", Content: encodeID(key.ID)}
	}
	nodes := append(identityNodes(device),
		preKeyNode("skey", device.SignedID, device.SignedKey, device.SignedSig),
		waBinary.Node{Tag: "list", Content: ids},
		waBinary.Node{Tag: "hash", Content: hash.Sum(nil)})
	return []waBinary.Node{{Tag: "digest", Content: nodes}}, nil
}

// handleEncryptSet stores prekeys, or a new signed prekey alone.
func (c *session) handleEncryptSet(iq *waBinary.Node) ([]waBinary.Node, error) {
	device, err := c.server.state.Device(c.ctx, c.device)
	if err != nil {
		return nil, err
	}
	if rotate := child(iq, "rotate"); rotate.Tag != "" {
		if !readSignedPreKey(child(rotate, "skey"), device) {
			return nil, errBadRequest
		}
		return nil, c.server.state.RotateSignedPreKey(c.ctx, device)
	}
	upload := *device
	keys, ok := readUpload(iq, &upload)
	if !ok || c.partner && (string(upload.Identity) != string(device.Identity) || upload.RegistrationID != device.RegistrationID) {
		return nil, errBadRequest // a partner's identity changes by enlisting again only
	}
	count, err := c.server.state.PreKeyCount(c.ctx, c.device)
	if err != nil {
		return nil, err
	} else if count+len(keys) > maxPreKeys && string(upload.Identity) == string(device.Identity) {
		return nil, errBadRequest
	}
	changed, err := c.server.state.SetKeys(c.ctx, &upload, keys)
	if err != nil {
		return nil, err
	}
	if device.Identity == nil || changed {
		c.server.directory.forget(c.device)
	}
	switch {
	case device.Identity == nil:
		return nil, c.server.announceDevices(c.ctx, c.device)
	case changed:
		return nil, c.server.announceIdentity(c.ctx, c.device)
	}
	return nil, nil
}

// readUpload reads a full upload into device. ok is false if anything about it is wrong.
func readUpload(iq *waBinary.Node, device *state.Device) (keys []state.PreKey, ok bool) {
	registration, kind := wire.Bytes(child(iq, "registration")), wire.Bytes(child(iq, "type"))
	identity, list := wire.Bytes(child(iq, "identity")), child(iq, "list").GetChildren()
	if len(registration) != 4 || len(kind) != 1 || kind[0] != ecc.DjbType || len(identity) != 32 || len(list) > maxUpload {
		return nil, false
	}
	device.RegistrationID = binary.BigEndian.Uint32(registration)
	device.Identity = identity
	if device.RegistrationID == 0 || !readSignedPreKey(child(iq, "skey"), device) {
		return nil, false
	}
	for i := range list {
		id, value := wire.Bytes(child(&list[i], "id")), wire.Bytes(child(&list[i], "value"))
		if list[i].Tag != "key" || len(id) != 3 || len(value) != 32 {
			return nil, false
		}
		keys = append(keys, state.PreKey{ID: decodeID(id), Key: value})
	}
	return keys, true
}

// readSignedPreKey reads a signed prekey into device and checks its signature with the device's identity.
func readSignedPreKey(node *waBinary.Node, device *state.Device) bool {
	id, value, signature := wire.Bytes(child(node, "id")), wire.Bytes(child(node, "value")), wire.Bytes(child(node, "signature"))
	if len(id) != 3 || !validSignedPreKey(device.Identity, value, signature) {
		return false
	}
	device.SignedID, device.SignedKey, device.SignedSig = decodeID(id), value, signature
	return true
}

func identityNodes(device *state.Device) []waBinary.Node {
	return []waBinary.Node{
		{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, device.RegistrationID)},
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: device.Identity},
	}
}

func preKeyNode(tag string, id uint32, value, signature []byte) waBinary.Node {
	content := []waBinary.Node{{Tag: "id", Content: encodeID(id)}, {Tag: "value", Content: value}}
	if signature != nil {
		content = append(content, waBinary.Node{Tag: "signature", Content: signature})
	}
	return waBinary.Node{Tag: tag, Content: content}
}

// encodeID and decodeID are for the three bytes of a prekey's id.
func encodeID(id uint32) []byte { return []byte{byte(id >> 16), byte(id >> 8), byte(id)} }

func decodeID(raw []byte) uint32 { return uint32(raw[0])<<16 | uint32(raw[1])<<8 | uint32(raw[2]) }

// askForPreKeys tells a device that it has few prekeys left.
func (s *Server) askForPreKeys(device types.JID, left int) error {
	to, err := s.directory.find(s.background, device)
	if err != nil {
		return fmt.Errorf("failed to ask for prekeys: %w", err)
	}
	return s.notify(to, device.Device, types.ServerJID, types.ServerJID, "encrypt",
		waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": left}})
}

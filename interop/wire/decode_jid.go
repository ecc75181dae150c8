package wire

import (
	"go.mau.fi/whatsmeow/binary/token"
	"go.mau.fi/whatsmeow/types"
)

// jid reads the rest of a JID, after its token.
func (d *decoder) jid(kind byte) (jid types.JID, err error) {
	switch kind {
	case token.ADJID:
		jid, err = d.adJID()
	case token.FBJID:
		jid, err = d.messengerJID()
	case token.InteropJID:
		jid, err = d.interopJID()
	default:
		jid, err = d.pairJID()
	}
	if err != nil {
		return types.JID{}, err
	} else if problem := jidProblem(jid); problem != "" {
		return types.JID{}, d.malformed(problem)
	} else if jid.User == "" && kind != token.JIDPair {
		return types.JID{}, d.malformed("JID without a user")
	}
	return jid, nil
}

// pairJID reads user and server. Servers whose JIDs have more than that have tokens of their own.
func (d *decoder) pairJID() (jid types.JID, err error) {
	if jid.User, err = d.text(); err != nil {
		return jid, err
	}
	if jid.Server, err = d.text(); err == nil && jid.Server == types.InteropServer {
		err = d.malformed("interop JID without an integrator")
	}
	return jid, err
}

// adJID reads the kind of server, a device of 8 bits and the user.
func (d *decoder) adJID() (jid types.JID, err error) {
	head, err := d.take(2)
	if err != nil {
		return jid, err
	}
	user, err := d.text()
	return types.NewADJID(user, head[0], head[1]), err
}

// messengerJID reads user, a device of 16 bits and the server.
func (d *decoder) messengerJID() (jid types.JID, err error) {
	if jid.User, err = d.text(); err != nil {
		return jid, err
	}
	if jid.Device, err = d.uint16(); err != nil {
		return jid, err
	}
	if jid.Server, err = d.text(); err == nil && jid.Server != types.MessengerServer {
		err = d.malformed("JID of another server than its token")
	}
	return jid, err
}

// interopJID reads user, device and integrator of 16 bits each, and the server if it is there.
func (d *decoder) interopJID() (jid types.JID, err error) {
	if jid.User, err = d.text(); err != nil {
		return jid, err
	}
	if jid.Device, err = d.uint16(); err != nil {
		return jid, err
	}
	if jid.Integrator, err = d.uint16(); err != nil {
		return jid, err
	}
	jid.Server = types.InteropServer
	d.skipInteropServer()
	return jid, nil
}

// skipInteropServer passes over the server at the end of an interop JID, which senders may leave out. The word is taken
// for the server even where a sender that leaves servers out began an attribute named "interop" with it; every
// encoder that we know writes the server.
func (d *decoder) skipInteropServer() {
	start := d.at
	kind, err := d.byte()
	if err == nil && (kind == token.Binary8 || kind == token.Binary20 || kind == token.Binary32) {
		d.at = start
		if word, err := d.word(); err == nil {
			if raw, ok := word.([]byte); ok && string(raw) == types.InteropServer {
				return
			}
		}
	}
	d.at = start
}

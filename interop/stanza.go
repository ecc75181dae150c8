package interop

import (
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// The helpers below read stanzas without trusting them: a part that is missing or of another type is like one that is
// empty, and the caller decides whether that will do.

// child returns the first child with the tag, nil if there is none or node is nil.
func child(node *waBinary.Node, tag string) *waBinary.Node {
	if node == nil {
		return nil
	}
	children, _ := node.Content.([]waBinary.Node)
	for i := range children {
		if children[i].Tag == tag {
			return &children[i]
		}
	}
	return nil
}

// children returns the node's children.
func children(node *waBinary.Node) []waBinary.Node {
	if node == nil {
		return nil
	}
	list, _ := node.Content.([]waBinary.Node)
	return list
}

// bytesOf returns the node's content as bytes, nil if there is none or node is nil.
func bytesOf(node *waBinary.Node) []byte {
	if node == nil {
		return nil
	}
	return wire.Bytes(node)
}

// attr returns an attribute as text. A JID comes in its text form.
func attr(node *waBinary.Node, name string) string {
	if node == nil {
		return ""
	}
	switch value := node.Attrs[name].(type) {
	case string:
		return value
	case types.JID:
		return wire.FormatJID(value)
	default:
		return ""
	}
}

// jidAttr returns an attribute as a JID, empty if it is none. Encoders may send a JID as text.
func jidAttr(node *waBinary.Node, name string) types.JID {
	if node == nil {
		return types.JID{}
	}
	switch value := node.Attrs[name].(type) {
	case types.JID:
		return value
	case string:
		jid, err := wire.ParseJID(value)
		if err != nil {
			return types.JID{}
		}
		return jid
	default:
		return types.JID{}
	}
}

// intAttr returns an attribute as a number, 0 if it is none.
func intAttr(node *waBinary.Node, name string) int {
	number, err := strconv.Atoi(attr(node, name))
	if err != nil {
		return 0
	}
	return number
}

// timeAttr returns an attribute in Unix seconds, fallback if it is none or nonsense.
func timeAttr(node *waBinary.Node, name string, fallback time.Time) time.Time {
	seconds, err := strconv.ParseInt(attr(node, name), 10, 64)
	if err != nil || seconds <= 0 || seconds > maxUnixSeconds {
		return fallback
	}
	return time.Unix(seconds, 0)
}

// maxUnixSeconds is the end of the year 9999, which databases and JSON can still write.
const maxUnixSeconds = 253402300799

// serverJID is the gatekeeper itself.
var serverJID = types.ServerJID

// isContact tells whether the JID is somebody that messages can be exchanged with, whatever the device.
func isContact(jid types.JID) bool {
	switch jid.Server {
	case types.DefaultUserServer, types.HiddenUserServer, types.InteropServer, types.MessengerServer:
		return jid.User != "" && jid.RawAgent == 0
	default:
		return false
	}
}

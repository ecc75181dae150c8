package gatekeeper

import (
	"fmt"
	"strconv"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// Codes of errors in iqs and acks, see docs/protocol.md.
const (
	codeNotAuthorized = 401
	codeForbidden     = 403
	codeNotFound      = 404
	codeNotAcceptable = 406
	codeStaleDevices  = 409
	codeTooLarge      = 413
	codeTooMany       = 429
	codeMalformed     = 479
	codeInternal      = 500
	codeUnsupported   = 501
)

// stanzaError is what a client is told about a request of its own. Text is for people.
type stanzaError struct {
	code int
	text string
	// content is put into an ack beside the code, nil for most.
	content []waBinary.Node
}

func (e *stanzaError) Error() string { return fmt.Sprintf("%d: %s", e.code, e.text) }

var (
	errBadRequest = &stanzaError{code: codeNotAcceptable, text: "not-acceptable"}
	errNoSuchUser = &stanzaError{code: codeNotFound, text: "item-not-found"}
	errForbidden  = &stanzaError{code: codeForbidden, text: "forbidden"}
)

const (
	maxID        = 128 // bytes of a stanza's id; WhatsApp's have 20 to 32
	maxAttribute = 64  // bytes of an attribute that is handed on
	maxName      = 128 // bytes of a push name
)

// child returns the first child with the tag, an empty node if there is none.
func child(node *waBinary.Node, tag string) *waBinary.Node {
	children := node.GetChildren()
	for i := range children {
		if children[i].Tag == tag {
			return &children[i]
		}
	}
	return &waBinary.Node{}
}

// text returns an attribute that is text, "" if it is none.
func text(node *waBinary.Node, name string) string {
	value, _ := node.Attrs[name].(string)
	return value
}

// jid returns an attribute that is a JID, also one that came as text. ok is false if it is none.
func jid(node *waBinary.Node, name string) (value types.JID, ok bool) {
	switch typed := node.Attrs[name].(type) {
	case types.JID:
		return typed, true
	case string:
		parsed, err := wire.ParseJID(typed)
		return parsed, err == nil
	default:
		return types.JID{}, false
	}
}

// number returns an attribute that is a number from 0 on, -1 if it is none.
func number(node *waBinary.Node, name string) int {
	value, err := strconv.ParseUint(text(node, name), 10, 31)
	if err != nil {
		return -1
	}
	return int(value)
}

// validID tells whether id can stand for a stanza: not empty, not long, printable ASCII.
func validID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// keep copies attributes that are short texts.
func keep(from *waBinary.Node, to waBinary.Attrs, names ...string) {
	for _, name := range names {
		if value := text(from, name); value != "" && len(value) <= maxAttribute {
			to[name] = value
		}
	}
}

// cut bounds foreign text for logs and records.
func cut(text string, size int) string {
	if len(text) > size {
		return text[:size]
	}
	return text
}

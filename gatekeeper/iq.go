package gatekeeper

import (
	"errors"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
)

// request handles one kind of iq. It returns the content of the answer. An error that is a [stanzaError] is told to the
// client; any other is logged and becomes an internal error.
type request func(c *session, iq *waBinary.Node) ([]waBinary.Node, error)

// requests are the iqs that we know, by xmlns and type.
var requests = map[string]request{
	"w:p get":               (*session).handlePing,
	"urn:xmpp:ping get":     (*session).handlePing,
	"passive set":           (*session).handlePassive,
	"encrypt get":           (*session).handleEncryptGet,
	"encrypt set":           (*session).handleEncryptSet,
	"usync get":             (*session).handleUsync,
	"w:profile:picture get": (*session).handlePictureGet,
	"privacy get":           (*session).handlePrivacyGet,
	"privacy set":           (*session).handlePrivacySet,
	"blocklist get":         (*session).handleBlocklistGet,
	"blocklist set":         (*session).handleBlocklistSet,
	"w:m set":               (*session).handleMediaConn,
	"w:m get":               (*session).handleMediaConn,
	"abt get":               (*session).handleProps,
	"interop set":           (*session).handleInterop,
}

// handleIQ answers a request, one at a time for each client.
func (c *session) handleIQ(iq *waBinary.Node) {
	id, kind := text(iq, "id"), text(iq, "type")
	if !validID(id) || kind != "get" && kind != "set" {
		return // an answer to something that we never ask, or nothing that could be answered
	}
	name := cut(text(iq, "xmlns"), maxAttribute) + " " + kind
	handler, known := requests[name]
	if !known {
		c.log.Warn().Str("request", name).Msg("Unexpected request")
		c.note(state.Saw{Kind: "unexpected iq " + name, ID: id})
		c.answer(iq, nil, &stanzaError{code: codeUnsupported, text: "feature-not-implemented"})
		return
	}
	if name != "w:p get" {
		c.note(state.Saw{Kind: "iq " + name, ID: id})
	}
	content, err := handler(c, iq)
	if !errors.Is(err, errAnswered) {
		c.answer(iq, content, err)
	}
}

// errAnswered is returned by a handler that had to answer by itself.
var errAnswered = errors.New("answered")

// answer sends the result of a request.
func (c *session) answer(iq *waBinary.Node, content []waBinary.Node, err error) {
	attrs := waBinary.Attrs{"id": text(iq, "id"), "type": "result", "from": types.ServerJID}
	if to, ok := jid(iq, "to"); ok {
		attrs["from"] = to
	}
	answer := waBinary.Node{Tag: "iq", Attrs: attrs}
	if content != nil {
		answer.Content = content
	}
	if err != nil {
		var refusal *stanzaError
		if !errors.As(err, &refusal) {
			c.log.Err(err).Str("request", text(iq, "xmlns")).Msg("Failed to answer a request")
			refusal = &stanzaError{code: codeInternal, text: "internal-server-error"}
		}
		attrs["type"] = "error"
		answer.Content = []waBinary.Node{errorNode(refusal)}
	}
	c.send(answer)
}

func errorNode(refusal *stanzaError) waBinary.Node {
	return waBinary.Node{Tag: "error", Attrs: waBinary.Attrs{"code": refusal.code, "text": refusal.text}}
}

// handlePing answers a keepalive.
func (c *session) handlePing(*waBinary.Node) ([]waBinary.Node, error) { return nil, nil }

// handleProps answers a question for server-side settings: there are none.
func (c *session) handleProps(*waBinary.Node) ([]waBinary.Node, error) {
	return []waBinary.Node{{Tag: "props", Attrs: waBinary.Attrs{"protocol": "1"}}}, nil
}

// handlePassive starts the delivery of the mailbox when the client says that it is ready. A client that becomes passive
// again keeps getting its mail; nothing depends on it in the sandbox.
func (c *session) handlePassive(iq *waBinary.Node) ([]waBinary.Node, error) {
	switch {
	case child(iq, "active").Tag != "":
		c.answer(iq, nil, nil) // before the mail
		c.activated.Do(func() { c.work.Go(c.deliver) })
		return nil, errAnswered
	case child(iq, "passive").Tag != "":
		return nil, nil
	default:
		return nil, errBadRequest
	}
}

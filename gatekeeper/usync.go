package gatekeeper

import (
	"errors"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

const (
	// maxUsync is how many users one request may ask for.
	maxUsync = 512
	// maxPhone and minPhone bound a phone number's digits: E.164 has at most 15, and nothing shorter than 5 is in use.
	maxPhone = 15
	minPhone = 5
)

// handleUsync answers what is known about users: whether a phone number is one of ours, and devices, LID, picture and
// status of accounts.
func (c *session) handleUsync(iq *waBinary.Node) ([]waBinary.Node, error) {
	query := child(iq, "usync")
	protocols, wanted := child(query, "query"), child(query, "list").GetChildren()
	if query.Tag == "" || protocols.Tag == "" || len(wanted) == 0 || len(wanted) > maxUsync {
		return nil, errBadRequest
	}
	self, err := c.self()
	if err != nil {
		return nil, err
	}
	users := make([]waBinary.Node, 0, len(wanted))
	for i := range wanted {
		answer, err := c.usyncUser(self, protocols, &wanted[i])
		if err != nil {
			return nil, err
		}
		users = append(users, answer)
	}
	attrs := waBinary.Attrs{}
	keep(query, attrs, "sid", "index", "last", "mode", "context")
	return []waBinary.Node{{Tag: "usync", Attrs: attrs, Content: []waBinary.Node{{Tag: "list", Content: users}}}}, nil
}

// usyncUser answers for one user. The user is named by a jid attribute, which comes back exactly as it was, or by a
// phone number in a contact child.
func (c *session) usyncUser(self *user, protocols, wanted *waBinary.Node) (waBinary.Node, error) {
	answer := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{}}
	var found *user
	var err error
	contact := child(wanted, "contact")
	if address, ok := jid(wanted, "jid"); ok {
		answer.Attrs["jid"] = address
		found, err = c.server.directory.find(c.ctx, address)
	} else {
		found, err = c.server.findPhone(c, wire.Text(contact))
	}
	if errors.Is(err, state.ErrUnknown) {
		found, err = nil, nil
	}
	if err != nil {
		return answer, err
	}
	var content []waBinary.Node
	if contact.Tag != "" {
		content = append(content, c.usyncContact(protocols, contact, found, answer.Attrs))
	}
	switch {
	case found == nil:
		if contact.Tag == "" {
			content = append(content, errorNode(errNoSuchUser))
		}
	case found.JID != self.JID && !mayWrite(self, found):
		if c.partner && !found.IsInterop() {
			content = append(content, waBinary.Node{Tag: "interop", Attrs: waBinary.Attrs{"state": "off"}})
		}
	default:
		details, err := c.usyncDetails(protocols, found)
		if err != nil {
			return answer, err
		}
		content = append(content, details...)
	}
	answer.Content = content
	return answer, nil
}

// usyncContact tells whether the phone number is somebody's, and adds who it is to the user's attributes.
func (c *session) usyncContact(protocols, asked *waBinary.Node, found *user, attrs waBinary.Attrs) waBinary.Node {
	// Bytes, so that the number comes back in the form it was asked in, whatever the encoder could make of a string.
	answer := waBinary.Node{Tag: "contact", Attrs: waBinary.Attrs{"type": "out"}, Content: wire.Bytes(asked)}
	if found == nil {
		return answer
	}
	answer.Attrs["type"] = "in"
	switch {
	case c.partner:
		attrs["jid"] = found.JID
	case text(child(protocols, "contact"), "addressing_mode") == "lid":
		attrs["jid"], attrs["pn_jid"] = found.LID, found.JID
	default:
		attrs["jid"] = found.JID
	}
	return answer
}

// usyncDetails answers the protocols that are about an account.
func (c *session) usyncDetails(protocols *waBinary.Node, found *user) (details []waBinary.Node, err error) {
	for _, protocol := range protocols.GetChildren() {
		switch protocol.Tag {
		case "devices":
			list := make([]waBinary.Node, len(found.devices))
			for i, device := range found.devices {
				list[i] = waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"id": int(device)}}
			}
			details = append(details, waBinary.Node{Tag: "devices", Content: []waBinary.Node{{Tag: "device-list", Content: list}}})
		case "lid":
			if !c.partner {
				details = append(details, waBinary.Node{Tag: "lid", Attrs: waBinary.Attrs{"val": found.LID}})
			}
		case "status":
			details = append(details, waBinary.Node{Tag: "status"})
		case "picture":
			id, err := c.server.state.PictureID(c.ctx, found.JID)
			if err == nil {
				details = append(details, waBinary.Node{Tag: "picture", Attrs: waBinary.Attrs{"id": id}})
			} else if !errors.Is(err, state.ErrUnknown) {
				return nil, err
			}
		}
	}
	return details, nil
}

// findPhone returns whose phone number it is, [state.ErrUnknown] if nobody's or if it is no phone number.
func (s *Server) findPhone(c *session, number string) (*user, error) {
	digits := phoneDigits(number)
	if digits == "" {
		return nil, state.ErrUnknown
	}
	return s.directory.find(c.ctx, types.NewJID(digits, types.DefaultUserServer))
}

// phoneDigits returns the digits of a phone number in international form, with or without a plus or the server that
// whatsmeow appends, or "" if it is none.
func phoneDigits(number string) string {
	digits := strings.TrimPrefix(strings.TrimSuffix(number, "@"+types.LegacyUserServer), "+")
	if len(digits) < minPhone || len(digits) > maxPhone || digits[0] == '0' {
		return ""
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return ""
		}
	}
	return digits
}

package interop

import (
	"context"
	"fmt"
	"strconv"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// maxUsyncUsers is how many users one request asks for.
const maxUsyncUsers = 256

// syncUsers asks the gatekeeper's directory and returns the user nodes of the answer.
func (c *connection) syncUsers(ctx context.Context, purpose string, protocols, users []waBinary.Node) ([]waBinary.Node, error) {
	answer, err := c.ask(ctx, request{namespace: "usync", kind: "get", content: []waBinary.Node{{
		Tag: "usync",
		Attrs: waBinary.Attrs{
			"sid": strconv.FormatInt(c.run.client.options.Clock.Now().UnixMicro(), 10), "mode": "query", "last": "true", "index": "0", "context": purpose,
		},
		Content: []waBinary.Node{
			{Tag: "query", Content: protocols},
			{Tag: "list", Content: users},
		},
	}}})
	if err != nil {
		return nil, err
	}
	return children(child(child(answer, "usync"), "list")), nil
}

// deviceList is what the gatekeeper says about a contact's devices: either some devices or a refusal.
type deviceList struct {
	devices []types.JID
	refusal *StanzaError
}

// fetchDevices asks which devices contacts have. Contacts that the gatekeeper says nothing about are missing.
func (c *connection) fetchDevices(ctx context.Context, contacts []types.JID) (map[types.JID]deviceList, error) {
	lists := make(map[types.JID]deviceList, len(contacts))
	for len(contacts) > 0 {
		part := contacts[:min(len(contacts), maxUsyncUsers)]
		contacts = contacts[len(part):]
		users := make([]waBinary.Node, len(part))
		wanted := make(map[types.JID]bool, len(part))
		for i, contact := range part {
			users[i] = waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": contact}}
			wanted[contact] = true
		}
		protocols := []waBinary.Node{{Tag: "devices", Attrs: waBinary.Attrs{"version": "2"}}}
		answer, err := c.syncUsers(ctx, "message", protocols, users)
		if err != nil {
			return nil, fmt.Errorf("failed to look up devices: %w", err)
		}
		for _, user := range answer {
			contact := jidAttr(&user, "jid")
			if wanted[contact] {
				lists[contact] = parseDevices(contact, &user)
			}
		}
	}
	return lists, nil
}

// parseDevices reads a contact's devices from a user node.
func parseDevices(contact types.JID, user *waBinary.Node) deviceList {
	devices := child(user, "devices")
	for _, node := range []*waBinary.Node{user, devices} {
		if refusal := child(node, "error"); refusal != nil {
			return deviceList{refusal: parseError(refusal)}
		}
	}
	if isUnreachable(user) {
		return deviceList{refusal: &StanzaError{Code: ackNotReachable, Text: "third-party chats are off"}}
	}
	var list deviceList
	seen := make(map[uint16]bool)
	for _, node := range children(child(devices, "device-list")) {
		id, err := strconv.ParseUint(attr(&node, "id"), 10, 16)
		if node.Tag != "device" || err != nil || seen[uint16(id)] || len(list.devices) == maxDevices {
			continue
		}
		seen[uint16(id)] = true
		device := contact
		device.Device = uint16(id)
		list.devices = append(list.devices, device)
	}
	return list
}

// isUnreachable tells whether a user node says that the contact does not accept third-party chats.
func isUnreachable(user *waBinary.Node) bool { return attr(child(user, "interop"), "state") == "off" }

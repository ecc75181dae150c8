package gatekeeper

import (
	"maps"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// privacyDefaults are the settings of an account that never changed them, and all that there are.
var privacyDefaults = map[string]string{
	"readreceipts": "all", "profile": "all", "status": "all", "last": "all", "online": "all", "groupadd": "all", "calladd": "all",
}

// handlePrivacyGet returns the user's privacy settings.
func (c *session) handlePrivacyGet(*waBinary.Node) ([]waBinary.Node, error) {
	settings, err := c.server.state.Privacy(c.ctx, c.device)
	if err != nil {
		return nil, err
	}
	var categories []waBinary.Node
	for _, name := range slices.Sorted(maps.Keys(privacyDefaults)) {
		value := privacyDefaults[name]
		if changed, ok := settings[name]; ok {
			value = changed
		}
		categories = append(categories, waBinary.Node{Tag: "category", Attrs: waBinary.Attrs{"name": name, "value": value}})
	}
	return []waBinary.Node{{Tag: "privacy", Content: categories}}, nil
}

// handlePrivacySet changes settings. Trusted-contact tokens, which WhatsApp clients send with the same request, are
// taken and thrown away: nothing asks for them.
func (c *session) handlePrivacySet(iq *waBinary.Node) ([]waBinary.Node, error) {
	if child(iq, "tokens").Tag != "" {
		return nil, nil
	}
	categories := child(iq, "privacy").GetChildren()
	if len(categories) == 0 || len(categories) > len(privacyDefaults) {
		return nil, errBadRequest
	}
	for i := range categories {
		name, value := text(&categories[i], "name"), text(&categories[i], "value")
		if _, known := privacyDefaults[name]; !known || value == "" || len(value) > maxAttribute {
			return nil, errBadRequest
		}
		if err := c.server.state.SetPrivacy(c.ctx, c.device, name, value); err != nil {
			return nil, err
		}
	}
	return c.handlePrivacyGet(iq)
}

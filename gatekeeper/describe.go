package gatekeeper

import (
	"encoding/hex"
	"fmt"
	"net"

	"gopkg.in/yaml.v3"
)

// description is an entry of the bridge's list of gatekeepers; the keys are those of its config.
type description struct {
	ID              string `yaml:"id"`
	Name            string `yaml:"name"`
	Product         string `yaml:"product"`
	Integrator      uint16 `yaml:"integrator"`
	EnlistURL       string `yaml:"enlist_url"`
	ChatURL         string `yaml:"chat_url"`
	RootKey         string `yaml:"root_key"`
	Audience        string `yaml:"audience"`
	ProtocolVersion string `yaml:"protocol_version"`
}

// Describe returns, as YAML, what each partner has to put into its bridge's list of gatekeepers. It makes the root key
// if there is none.
func Describe(config *Config) (string, error) {
	root, err := LoadRootKey(config.RootKeyFile)
	if err != nil {
		return "", err
	}
	address := config.Listen
	if host, port, err := net.SplitHostPort(address); err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		address = net.JoinHostPort("localhost", port)
	}
	version := config.MinimumVersion
	entries := make([]description, len(config.Partners))
	for i, partner := range config.Partners {
		entries[i] = description{
			ID: "whatsapp", Name: "WhatsApp (sandbox)", Product: "whatsapp", Integrator: partner.Integrator,
			EnlistURL: "http://" + address + enlistPath, ChatURL: "ws://" + address + chatPath,
			RootKey: hex.EncodeToString(root.Pub[:]), Audience: partner.Audience,
			ProtocolVersion: fmt.Sprintf("%d.%d.%d", version[0], version[1], version[2]),
		}
	}
	text, err := yaml.Marshal(entries)
	if err != nil {
		return "", fmt.Errorf("failed to describe the gatekeeper: %w", err)
	}
	return string(text), nil
}

package config

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/appservice"
)

// NewToken returns 32 random bytes in hexadecimal, for the tokens that homeserver and bridge share.
func NewToken() string {
	var raw [32]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// Registration is what the homeserver is told about the bridge. Homeservers ignore flags that they do not know, so
// the same file fits Synapse and Dendrite.
//
// The bot is part of the namespace and the sender is a random name that nobody uses, as mautrix does it: a homeserver
// gives the sender rights of its own, and the bot shall have none that the contacts do not have.
func (c *Config) Registration(sender string) *appservice.Registration {
	limited := false
	return &appservice.Registration{
		ID:              c.Appservice.ID,
		URL:             c.Appservice.Address,
		AppToken:        c.Appservice.ASToken,
		ServerToken:     c.Appservice.HSToken,
		SenderLocalpart: sender,
		RateLimited:     &limited,
		Namespaces: appservice.Namespaces{UserIDs: appservice.NamespaceList{
			{Regex: c.userRegex(c.Appservice.BotUsername, false), Exclusive: true},
			{Regex: c.userRegex(c.Appservice.UsernameTemplate, true), Exclusive: true},
		}},
		SoruEphemeralEvents: true,
		EphemeralEvents:     true,
		MSC3202:             true,
		MSC4190:             true,
	}
}

// DoublePuppetRegistration lets the bridge act for all users of the homeserver. It has no URL, as nothing is to be
// pushed for it.
func (c *Config) DoublePuppetRegistration(hsToken, sender string) *appservice.Registration {
	limited := false
	return &appservice.Registration{
		ID:              c.Appservice.ID + "-doublepuppet",
		AppToken:        c.DoublePuppet.ASToken,
		ServerToken:     hsToken,
		SenderLocalpart: sender,
		RateLimited:     &limited,
		Namespaces: appservice.Namespaces{UserIDs: appservice.NamespaceList{
			{Regex: fmt.Sprintf("^@.*:%s$", regexp.QuoteMeta(c.Homeserver.Domain)), Exclusive: false},
		}},
	}
}

func (c *Config) userRegex(localpart string, template bool) string {
	quoted := regexp.QuoteMeta(localpart)
	if template {
		quoted = strings.Replace(quoted, regexp.QuoteMeta("{{.}}"), ".*", 1)
	}
	return fmt.Sprintf("^@%s:%s$", quoted, regexp.QuoteMeta(c.Homeserver.Domain))
}

// RegistrationError says how a registration file and the config disagree.
type RegistrationError struct{ Field string }

func (e *RegistrationError) Error() string {
	return fmt.Sprintf("the registration's %s is not what the config says; make both agree and restart the homeserver", e.Field)
}

// CheckRegistration compares a registration file with the config. The file is at most 1 MiB.
func (c *Config) CheckRegistration(path string) error {
	data, err := readFile(path)
	if err != nil {
		return fmt.Errorf("failed to read the registration: %w", err)
	}
	var found appservice.Registration
	if err = yaml.Unmarshal(data, &found); err != nil {
		return fmt.Errorf("failed to parse the registration: %w", syntaxError(path, nil, err))
	}
	expected := c.Registration(found.SenderLocalpart)
	switch {
	case found.ID != expected.ID:
		return &RegistrationError{"id"}
	case found.URL != expected.URL:
		return &RegistrationError{"url"}
	case found.AppToken != expected.AppToken:
		return &RegistrationError{"as_token"}
	case found.ServerToken != expected.ServerToken:
		return &RegistrationError{"hs_token"}
	case len(found.Namespaces.UserIDs) != 2 || found.Namespaces.UserIDs[0] != expected.Namespaces.UserIDs[0] ||
		found.Namespaces.UserIDs[1] != expected.Namespaces.UserIDs[1]:
		return &RegistrationError{"users namespace"}
	case !found.EphemeralEvents && !found.SoruEphemeralEvents:
		return &RegistrationError{"receive_ephemeral"}
	case !found.MSC3202:
		return &RegistrationError{"org.matrix.msc3202"}
	case !found.MSC4190:
		return &RegistrationError{"io.element.msc4190"}
	}
	return nil
}

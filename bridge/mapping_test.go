package bridge_test

import (
	"slices"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/id"

	"postern/bridge"
	"postern/bridge/config"
)

func testConfig() *config.Config {
	return &config.Config{
		Homeserver:   config.Homeserver{Address: "http://127.0.0.1:8008", Domain: "example.org"},
		DoublePuppet: config.DoublePuppet{ASToken: "double"},
		Appservice:   config.Appservice{ID: "postern", BotUsername: "postern", UsernameTemplate: "postern_{{.}}"},
		Admins:       []string{"@admin:example.org", "@root:other.org"},
		Limits:       config.Limits{LoginsPerUser: 3},
	}
}

func TestOnlyUsersOfTheOwnServerMayEnlist(t *testing.T) {
	permissions := bridge.MautrixConfig(testConfig()).Bridge.Permissions
	for user, want := range map[id.UserID]struct{ commands, login, admin bool }{
		"@alice:example.org":       {true, true, false},
		"@mallory:other.org":       {true, false, false},
		"@mallory:sub.example.org": {true, false, false},
		"@admin:example.org":       {true, true, true},
		"@root:other.org":          {true, false, true},
	} {
		got := permissions.Get(user)
		if got.Commands != want.commands || got.Login != want.login || got.Admin != want.admin || got.ManageRelay && !want.admin {
			t.Errorf("%s: %+v", user, got)
		}
		if got.Login && got.MaxLogins != 3 {
			t.Errorf("%s may have %d logins", user, got.MaxLogins)
		}
	}
}

func TestSettingsThatPromisesRestOn(t *testing.T) {
	mapped := bridge.MautrixConfig(testConfig())
	for name, ok := range map[string]bool{
		"encryption is allowed, default and required": mapped.Encryption.Allow && mapped.Encryption.Default && mapped.Encryption.Require,
		"no pickle key in the config":                 mapped.Encryption.PickleKey == "",
		"a chat belongs to one login":                 mapped.Bridge.SplitPortals,
		"events are recognized when they come again":  mapped.Bridge.DeduplicateMatrixMessages,
		"no backfill":                                !mapped.Backfill.Enabled,
		"no relay":                                   !mapped.Bridge.Relay.Enabled,
		"statuses and notices":                       mapped.Matrix.MessageStatusEvents && mapped.Matrix.MessageErrorNotices,
		"double puppets by the registration":         mapped.DoublePuppet.Secrets["example.org"] == "as_token:double",
		"other servers' users may not double puppet": len(mapped.DoublePuppet.Servers) == 0 && !mapped.DoublePuppet.AllowDiscovery,
		"events are handled at once":                 bridgev2.PortalEventBuffer == 0,
		"chats are collected in a space":             mapped.Bridge.PersonalFilteringSpaces,
	} {
		if !ok {
			t.Errorf("not so: %s", name)
		}
	}
	if levels := []id.TrustState{mapped.Encryption.VerificationLevels.Send}; !slices.Contains(levels, id.TrustStateUnset) {
		t.Errorf("devices need %v to get messages", levels)
	}
	var none bridgeconfig.DoublePuppetConfig
	without := testConfig()
	without.DoublePuppet.ASToken = ""
	if got := bridge.MautrixConfig(without).DoublePuppet; len(got.Secrets) != len(none.Secrets) {
		t.Errorf("double puppeting without a token: %v", got)
	}
}

package bridge

import (
	"slices"
	"time"

	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/id"

	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/bridge/limits"
)

// stateDebounce is how long a lost connection to a gatekeeper may last before the user's clients are told.
const stateDebounce = 5 * time.Second

// mautrixConfig is what our config means in bridgev2's terms. Listening is our own business, so no address is in it.
func mautrixConfig(cfg *config.Config) *bridgeconfig.Config {
	mapped := &bridgeconfig.Config{
		Homeserver: bridgeconfig.HomeserverConfig{
			Address:    cfg.Homeserver.Address,
			Domain:     cfg.Homeserver.Domain,
			Software:   bridgeconfig.SoftwareStandard,
			RetryLimit: 0,
		},
		AppService: bridgeconfig.AppserviceConfig{
			Address:          cfg.Appservice.Address,
			PublicAddress:    cfg.Appservice.Address,
			NoServer:         true,
			ID:               cfg.Appservice.ID,
			Bot:              bridgeconfig.BotUserConfig{Username: cfg.Appservice.BotUsername, Displayname: cfg.Appservice.BotDisplayname},
			ASToken:          cfg.Appservice.ASToken,
			HSToken:          cfg.Appservice.HSToken,
			EphemeralEvents:  true,
			UsernameTemplate: cfg.Appservice.UsernameTemplate,
		},
		Bridge: bridgeconfig.BridgeConfig{
			CommandPrefix:             cfg.CommandPrefix,
			PersonalFilteringSpaces:   true,
			PrivateChatPortalMeta:     true,
			SplitPortals:              true,
			MuteOnlyOnCreate:          true, // what users change in their clients stays
			BridgeMatrixLeave:         true, // who rejects an invitation declines a request
			BridgeStatusNotices:       "errors",
			TransientStateDebounce:    stateDebounce,
			DeduplicateMatrixMessages: true,
			PhoneNumbersInProfile:     true,
			Permissions:               permissions(cfg),
		},
		Matrix: bridgeconfig.MatrixConfig{
			MessageStatusEvents: true,
			DeliveryReceipts:    true,
			MessageErrorNotices: true,
			SyncDirectChatList:  true,
		},
		Provisioning: bridgeconfig.ProvisioningConfig{
			SharedSecret:    cfg.Provisioning.SharedSecret,
			AllowMatrixAuth: true,
		},
		// The pickle key and the bot's cross-signing keys are derived in package homeserver and not part of any config.
		Encryption: bridgeconfig.EncryptionConfig{Allow: true, Default: true, Require: true},
	}
	mapped.Encryption.VerificationLevels.Receive = id.TrustStateUnset
	mapped.Encryption.VerificationLevels.Send = id.TrustStateUnset
	mapped.Encryption.VerificationLevels.Share = id.TrustStateCrossSignedTOFU
	if cfg.DoublePuppet.ASToken != "" {
		mapped.DoublePuppet.Secrets = map[string]string{cfg.Homeserver.Domain: "as_token:" + cfg.DoublePuppet.ASToken}
	}
	return mapped
}

// permissions lets the homeserver's own users enlist. Everybody else may talk to the bot, which tells them why they
// cannot: a plain refusal of their invitation would tell them nothing.
func permissions(cfg *config.Config) bridgeconfig.PermissionConfig {
	own, others := bridgeconfig.PermissionLevelUser, bridgeconfig.PermissionLevelCommands
	own.MaxLogins = cfg.Limits.LoginsPerUser
	own.ManageRelay, others.ManageRelay = false, false
	result := bridgeconfig.PermissionConfig{"*": &others, cfg.Homeserver.Domain: &own}
	for _, admin := range cfg.Admins {
		level := bridgeconfig.PermissionLevelAdmin
		level.MaxLogins = own.MaxLogins
		// An admin of another server may use admin commands, but no agreement covers an enlistment of theirs.
		level.Login = id.UserID(admin).Homeserver() == cfg.Homeserver.Domain
		result[admin] = &level
	}
	return result
}

// perDay are the daily limits of the config.
func perDay(cfg config.Limits) map[limits.Kind]int64 {
	return map[limits.Kind]int64{
		limits.Chats: int64(cfg.ChatsPerDay), limits.Pings: int64(cfg.PingsPerDay), limits.Messages: int64(cfg.MessagesPerDay),
		limits.Files: int64(cfg.FilesPerDay), limits.Reports: int64(cfg.ReportsPerDay),
	}
}

// interopGatekeepers converts the config's entries, in their order.
func interopGatekeepers(cfg *config.Config) ([]*connector.Gatekeeper, error) {
	entries := make([]*connector.Gatekeeper, 0, len(cfg.Gatekeepers))
	for _, gatekeeper := range cfg.Gatekeepers {
		converted, err := gatekeeper.Interop()
		if err != nil {
			return nil, err
		}
		entries = append(entries, &connector.Gatekeeper{
			Gatekeeper: converted, EEADeclaration: gatekeeper.EEADeclaration, EEASuspend: gatekeeper.EEAWithdrawn == config.EEASuspend,
			Idle: gatekeeper.Idle(),
		})
	}
	return slices.Clip(entries), nil
}

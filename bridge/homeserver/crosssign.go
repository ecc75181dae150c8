package homeserver

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
)

// ErrCrossSigning: the server keeps cross-signing keys of the bot that are not ours, and does not let us replace them.
var ErrCrossSigning = errors.New("the bot has cross-signing keys that another secret key made, and the homeserver does not let the bridge replace them: restore the old secret key, or remove the bot's account from the homeserver")

// sign makes other people's clients trust the bot's device: it is signed by cross-signing keys that are published for
// the bot. Their private parts are derived from the secret key whenever they are needed, so there is no recovery key
// to keep, and a new device is signed by the same identity as the one before.
func (m *megolm) sign(ctx context.Context) error {
	seed := func(purpose string) []byte {
		secret := m.connector.options.Secrets(purpose)
		return secret[:]
	}
	err := m.machine.ImportCrossSigningKeys(crypto.CrossSigningSeeds{
		MasterKey:      seed("matrix-cross-signing-master"),
		SelfSigningKey: seed("matrix-cross-signing-self-signing"),
		UserSigningKey: seed("matrix-cross-signing-user-signing"),
	})
	if err != nil {
		return fmt.Errorf("failed to derive the bot's cross-signing keys: %w", err)
	}
	ours := *m.machine.CrossSigningKeys.PublicKeys()
	answer, err := m.client.QueryKeys(ctx, &mautrix.ReqQueryKeys{
		DeviceKeys: mautrix.DeviceKeysRequest{m.client.UserID: {m.client.DeviceID}},
	})
	if err != nil {
		return fmt.Errorf("failed to ask for the bot's cross-signing keys: %w", err)
	}
	user := m.client.UserID
	master, selfSigning, userSigning := answer.MasterKeys[user], answer.SelfSigningKeys[user], answer.UserSigningKeys[user]
	published := crypto.CrossSigningPublicKeysCache{
		MasterKey:      master.FirstKey(),
		SelfSigningKey: selfSigning.FirstKey(),
		UserSigningKey: userSigning.FirstKey(),
	}
	if published != ours {
		if err = m.machine.PublishCrossSigningKeys(ctx, m.machine.CrossSigningKeys, nil); err != nil {
			if published.MasterKey != "" {
				return fmt.Errorf("%w (%w)", ErrCrossSigning, err)
			}
			return fmt.Errorf("failed to publish the bot's cross-signing keys: %w", err)
		}
		m.log.Info().Msg("Published the bot's cross-signing keys")
	}
	signatures := answer.DeviceKeys[user][m.client.DeviceID].Signatures[user]
	for key := range signatures {
		if _, signer := key.Parse(); published == ours && signer == ours.SelfSigningKey.String() {
			return nil
		}
	}
	if err = m.machine.SignOwnDevice(ctx, m.machine.OwnIdentity()); err != nil {
		return fmt.Errorf("failed to sign the bot's device: %w", err)
	}
	if err = m.machine.SignOwnMasterKey(ctx); err != nil {
		return fmt.Errorf("failed to sign the bot's master key: %w", err)
	}
	m.log.Info().Stringer("device_id", m.client.DeviceID).Msg("Signed the bot's device")
	return nil
}

package homeserver

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/id"
)

var (
	// ErrCrossSigning: the server keeps cross-signing keys of the bot that are not ours, and does not let us replace them.
	ErrCrossSigning = errors.New("the bot has cross-signing keys that another secret key made, and the homeserver does not let the bridge replace them: restore the old secret key, or remove the bot's account from the homeserver")
	// errContactsKeys is the same of a contact.
	errContactsKeys = errors.New("the contact has cross-signing keys that another secret key made, and the homeserver does not let the bridge replace them")
)

// Every user of ours has an identity, three cross-signing keys, that makes other people's clients trust the user's device.
// Their private parts are derived from the secret key and the Matrix ID whenever they are needed, so there is no recovery key
// to keep, and a new device is signed by the same identity as the one before, also after the database was lost. That matters:
// Dendrite takes other keys for a user only from someone who knows the user's password, which ours do not have.

// identity derives the keys of a user.
func (c *Connector) identity(user id.UserID) crypto.CrossSigningSeeds {
	seed := func(purpose string) []byte {
		purpose = "matrix-cross-signing-" + purpose
		if user != c.Bot.UserID {
			purpose += "/" + user.String()
		}
		secret := c.options.Secrets(purpose)
		return secret[:]
	}
	return crypto.CrossSigningSeeds{
		MasterKey: seed("master"), SelfSigningKey: seed("self-signing"), UserSigningKey: seed("user-signing"),
	}
}

// setIdentity signs the device's keys. The signature is the same every time.
func (d *device) setIdentity() error {
	if err := d.machine.ImportCrossSigningKeys(d.crypto.connector.identity(d.user)); err != nil {
		return fmt.Errorf("failed to derive the cross-signing keys of %s: %w", d.user, err)
	}
	signer := d.machine.CrossSigningKeys.SelfSigningKey
	signature, err := signer.SignJSON(d.bareKeys())
	if err != nil {
		return fmt.Errorf("failed to sign the device of %s: %w", d.user, err)
	}
	d.store.ownKey = d.machine.GetAccount().SigningKey()
	d.store.ownSignature = map[id.Ed25519]string{signer.PublicKey(): signature}
	return nil
}

// bareKeys are the device's public keys without signatures.
func (d *device) bareKeys() *mautrix.DeviceKeys {
	account, device := d.machine.GetAccount(), d.client.DeviceID
	return &mautrix.DeviceKeys{
		UserID:     d.user,
		DeviceID:   device,
		Algorithms: []id.Algorithm{id.AlgorithmMegolmV1, id.AlgorithmOlmV1},
		Keys: mautrix.KeyMap{
			id.NewDeviceKeyID(id.KeyAlgorithmCurve25519, device): string(account.IdentityKey()),
			id.NewDeviceKeyID(id.KeyAlgorithmEd25519, device):    string(account.SigningKey()),
		},
	}
}

// signedKeys are the device's public keys, signed by the device and by the user's identity.
func (d *device) signedKeys() (*mautrix.DeviceKeys, error) {
	keys := d.bareKeys()
	signature, err := d.machine.GetAccount().SignJSON(keys)
	if err != nil {
		return nil, fmt.Errorf("failed to sign the keys of %s: %w", d.user, err)
	}
	keys.Signatures = signatures.NewSingleSignature(d.user, id.KeyAlgorithmEd25519, d.client.DeviceID.String(), signature)
	for signer, signature := range d.store.ownSignature {
		keys.Signatures[d.user][id.NewKeyID(id.KeyAlgorithmEd25519, signer.String())] = signature
	}
	return keys, nil
}

// published is what the homeserver shows of a user of ours.
type published struct {
	identity crypto.CrossSigningPublicKeysCache
	devices  map[id.DeviceID]mautrix.DeviceKeys
}

// askPublished asks the homeserver.
func (d *device) askPublished(ctx context.Context) (*published, error) {
	answer, err := d.newClient("").QueryKeys(ctx, &mautrix.ReqQueryKeys{DeviceKeys: mautrix.DeviceKeysRequest{d.user: {}}})
	if err != nil {
		return nil, fmt.Errorf("failed to ask for the keys of %s: %w", d.user, err)
	}
	master, selfSigning, userSigning := answer.MasterKeys[d.user], answer.SelfSigningKeys[d.user], answer.UserSigningKeys[d.user]
	return &published{
		identity: crypto.CrossSigningPublicKeysCache{
			MasterKey: master.FirstKey(), SelfSigningKey: selfSigning.FirstKey(), UserSigningKey: userSigning.FirstKey(),
		},
		devices: answer.DeviceKeys[d.user],
	}, nil
}

// has tells whether the device's keys are among them.
func (p *published) has(d *device) bool {
	keys, ok := p.devices[d.client.DeviceID]
	return ok && keys.Keys.GetCurve25519(d.client.DeviceID) == d.machine.GetAccount().IdentityKey()
}

// hasSigned tells whether they are signed by the user's identity, too.
func (p *published) hasSigned(d *device) bool {
	signer := d.machine.CrossSigningKeys.SelfSigningKey.PublicKey()
	signature := p.devices[d.client.DeviceID].Signatures[d.user][id.NewKeyID(id.KeyAlgorithmEd25519, signer.String())]
	return p.has(d) && signature != ""
}

// publish makes the homeserver show the user's identity and the device, as far as that is missing: the identity first, and then
// the keys of the device with the signature in them, so that nobody ever sees a device that is not signed.
func (d *device) publish(ctx context.Context, known *published) error {
	if known.identity != *d.machine.CrossSigningKeys.PublicKeys() {
		err := d.publishIdentity(ctx)
		switch {
		case err == nil:
			d.crypto.connector.newcomers.came(anywhere, d.user)
		case known.identity.MasterKey == "":
			return fmt.Errorf("failed to publish the cross-signing keys of %s: %w", d.user, err)
		case d.user == d.crypto.connector.Bot.UserID:
			return fmt.Errorf("%w (%w)", ErrCrossSigning, err)
		default:
			return fmt.Errorf("%w (%w)", errContactsKeys, err)
		}
	}
	switch {
	case !known.has(d):
		return d.uploadKeys(ctx)
	case !known.hasSigned(d):
		return d.uploadSignature(ctx)
	default:
		return nil
	}
}

func (d *device) publishIdentity(ctx context.Context) error {
	keys := d.machine.CrossSigningKeys
	build := func(usage id.CrossSigningUsage, key id.Ed25519) (mautrix.CrossSigningKeys, error) {
		signed := mautrix.CrossSigningKeys{
			UserID: d.user,
			Usage:  []id.CrossSigningUsage{usage},
			Keys:   map[id.KeyID]id.Ed25519{id.NewKeyID(id.KeyAlgorithmEd25519, key.String()): key},
		}
		if usage == id.XSUsageMaster {
			return signed, nil
		}
		signature, err := keys.MasterKey.SignJSON(signed)
		signed.Signatures = signatures.NewSingleSignature(d.user, id.KeyAlgorithmEd25519, keys.MasterKey.PublicKey().String(), signature)
		return signed, err
	}
	master, err := build(id.XSUsageMaster, keys.MasterKey.PublicKey())
	if err != nil {
		return err
	}
	selfSigning, err := build(id.XSUsageSelfSigning, keys.SelfSigningKey.PublicKey())
	if err != nil {
		return err
	}
	userSigning, err := build(id.XSUsageUserSigning, keys.UserSigningKey.PublicKey())
	if err != nil {
		return err
	}
	return d.client.UploadCrossSigningKeys(ctx, &mautrix.UploadCrossSigningKeysReq[any]{
		Master: master, SelfSigning: selfSigning, UserSigning: userSigning,
	}, nil)
}

// uploadSignature is for a device whose keys an earlier version published without.
func (d *device) uploadSignature(ctx context.Context) error {
	keys := d.bareKeys()
	signed := mautrix.ReqKeysSignatures{
		UserID: d.user, DeviceID: keys.DeviceID, Algorithms: keys.Algorithms, Keys: make(map[id.KeyID]string),
	}
	for key, value := range keys.Keys {
		signed.Keys[id.KeyID(key)] = value
	}
	for signer, signature := range d.store.ownSignature {
		signed.Signatures = signatures.NewSingleSignature(d.user, id.KeyAlgorithmEd25519, signer.String(), signature)
	}
	answer, err := d.client.UploadSignatures(ctx, &mautrix.ReqUploadSignatures{d.user: {keys.DeviceID.String(): signed}})
	if err == nil && len(answer.Failures) > 0 {
		err = crypto.ErrSignatureUploadFail
	}
	if err != nil {
		return fmt.Errorf("failed to sign the device of %s: %w", d.user, err)
	}
	return nil
}

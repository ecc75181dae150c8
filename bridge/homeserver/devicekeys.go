package homeserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/goolm/account"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/id"
)

// Clients use up a one-time key to send the key of their messages to a device for the first time. The bot talks to all users
// and keeps 50 at the homeserver, which is mautrix' number. A contact has few users, whose keys the bot gets as well, so
// oneTimeKeys are enough, made again when only lowOneTimeKeys are left. The fallback key is for when there are none; it can be
// used any number of times. Dendrite has none.
const (
	oneTimeKeys    = 5
	lowOneTimeKeys = 2
)

// keyUpload is the body of /keys/upload; mautrix' has no fallback keys.
type keyUpload struct {
	DeviceKeys   *mautrix.DeviceKeys             `json:"device_keys,omitempty"`
	OneTimeKeys  map[id.KeyID]mautrix.OneTimeKey `json:"one_time_keys,omitempty"`
	FallbackKeys map[id.KeyID]mautrix.OneTimeKey `json:"fallback_keys,omitempty"`
}

// uploadKeys publishes the device's keys for the first time, together with a contact's one-time keys. Those of the bot follow by
// machine.ShareKeys. The private keys are stored first: a kill in between must not leave a device that nobody can be.
func (d *device) uploadKeys(ctx context.Context) error {
	keys, err := d.signedKeys()
	if err != nil {
		return err
	}
	owner := &id.Device{
		UserID: d.user, DeviceID: d.client.DeviceID, IdentityKey: d.machine.GetAccount().IdentityKey(), SigningKey: d.machine.GetAccount().SigningKey(),
	}
	if err = d.store.PutDevice(ctx, d.user, owner); err != nil {
		return fmt.Errorf("failed to store the device of %s: %w", d.user, err)
	}
	upload := &keyUpload{DeviceKeys: keys}
	if d.user != d.crypto.connector.Bot.UserID {
		if err = d.addOneTimeKeys(upload, oneTimeKeys); err != nil {
			return err
		}
	}
	return d.upload(ctx, upload)
}

// addOneTimeKeys makes one-time keys and, if there is none, a fallback key.
func (d *device) addOneTimeKeys(upload *keyUpload, count int) error {
	olm, ok := d.machine.GetAccount().Internal.(*account.Account)
	if !ok {
		return fmt.Errorf("failed to make one-time keys for %s: the program was built without goolm", d.user)
	}
	if err := olm.GenOneTimeKeys(uint(count)); err != nil {
		return fmt.Errorf("failed to make one-time keys for %s: %w", d.user, err)
	}
	if olm.NumFallbackKeys == 0 {
		if err := olm.GenFallbackKey(); err != nil {
			return fmt.Errorf("failed to make a fallback key for %s: %w", d.user, err)
		}
	}
	fresh, err := olm.OneTimeKeys()
	if err != nil {
		return fmt.Errorf("failed to read the one-time keys of %s: %w", d.user, err)
	}
	if upload.OneTimeKeys, err = d.signOneTimeKeys(fresh, false); err != nil {
		return err
	}
	upload.FallbackKeys, err = d.signOneTimeKeys(olm.FallbackKeyUnpublished(), true)
	return err
}

func (d *device) signOneTimeKeys(keys map[string]id.Curve25519, fallback bool) (map[id.KeyID]mautrix.OneTimeKey, error) {
	signed := make(map[id.KeyID]mautrix.OneTimeKey, len(keys))
	for name, key := range keys {
		oneTime := mautrix.OneTimeKey{Key: key, Fallback: fallback, IsSigned: true}
		signature, err := d.machine.GetAccount().SignJSON(&oneTime)
		if err != nil {
			return nil, fmt.Errorf("failed to sign a one-time key of %s: %w", d.user, err)
		}
		oneTime.Signatures = signatures.NewSingleSignature(d.user, id.KeyAlgorithmEd25519, d.client.DeviceID.String(), signature)
		signed[id.NewKeyID(id.KeyAlgorithmSignedCurve25519, name)] = oneTime
	}
	return signed, nil
}

func (d *device) upload(ctx context.Context, upload *keyUpload) error {
	olm := d.machine.GetAccount()
	if err := d.store.PutAccount(ctx, olm); err != nil {
		return fmt.Errorf("failed to store the keys of %s: %w", d.user, err)
	}
	session, err := d.session(ctx)
	if err != nil {
		return err
	}
	_, err = session.MakeRequest(ctx, http.MethodPost, session.BuildClientURL("v3", "keys", "upload"), upload, nil)
	if errors.Is(err, mautrix.MUnknownToken) {
		d.endSession()
	}
	if err != nil {
		return fmt.Errorf("failed to upload the keys of %s: %w", d.user, err)
	}
	if len(upload.OneTimeKeys) > 0 {
		olm.Internal.MarkKeysAsPublished()
	}
	olm.Shared = true
	if err = d.store.PutAccount(ctx, olm); err != nil {
		return fmt.Errorf("failed to store the keys of %s: %w", d.user, err)
	}
	return nil
}

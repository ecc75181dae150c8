package interop

import (
	"context"
	"errors"
	"fmt"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop/wire"
)

const (
	// wantedPreKeys is how many one-time prekeys the gatekeeper should hold. A contact takes one for every device of
	// theirs that writes first, so 50 are many people's first messages between two looks; making and storing them takes
	// some milliseconds, which 1,000 users who enlist on one day can afford.
	wantedPreKeys = 50
	// lowPreKeys is when more are uploaded. The gatekeeper tells by itself when fewer are left.
	lowPreKeys = 10
	// maxPreKeysInUpload is the gatekeeper's limit for one request.
	maxPreKeysInUpload = 812
	// maxSentPreKeys and sentPreKeyKept bound what is kept of the keys that went out in retry receipts and were not used, which anybody
	// can make us send. What is written with a key that was forgotten is asked for again.
	maxSentPreKeys = 1000
	sentPreKeyKept = 30 * 24 * time.Hour

	// signedPreKeyAge is when the signed prekey is renewed. signedPreKeyKept is how long an old one is kept from when the next
	// one was uploaded: a message of somebody who fetched it just before can wait 30 days in the mailbox.
	signedPreKeyAge  = 7 * 24 * time.Hour
	signedPreKeyKept = 37 * 24 * time.Hour
)

var (
	errPreKeysUsedUp = errors.New("prekey ids are used up, enlisting again is the remedy")
	errNoSignedKey   = errors.New("store has no signed prekey")
)

// ensureSignedPreKey copies the key of the enlistment to a store that has none.
func (r *run) ensureSignedPreKey(ctx context.Context) error {
	store := r.client.options.Store
	newest, err := store.LoadSignedPreKey(ctx, 0)
	if err != nil {
		return fmt.Errorf("failed to load the signed prekey: %w", err)
	} else if newest != nil {
		return nil
	} else if r.client.options.Account.Keys.SignedPreKey.ID == 0 {
		return errNoSignedKey
	} else if err = store.AddSignedPreKey(ctx, r.client.options.Account.Keys.SignedPreKey); err != nil {
		return fmt.Errorf("failed to store the signed prekey: %w", err)
	}
	return nil
}

// rotateSignedPreKey makes a new signed prekey when the newest is old, and forgets those that nobody can use any more.
//
// The key is stored before it is uploaded, without the time from which it counts: if the program ends between the two, the next login
// uploads the same key again.
func (c *connection) rotateSignedPreKey(ctx context.Context) error {
	client := c.run.client
	newest, err := client.options.Store.LoadSignedPreKey(ctx, 0)
	if err != nil {
		return fmt.Errorf("failed to load the signed prekey: %w", err)
	} else if newest == nil {
		return errNoSignedKey
	}
	now := client.options.Clock.Now()
	fresh := *newest
	if !newest.Created.IsZero() {
		if now.Sub(newest.Created).Abs() < signedPreKeyAge { // one from far in the future was made while the clock was wrong
			return nil
		} else if newest.ID >= maxPreKeyID {
			return errPreKeysUsedUp
		}
		fresh = newSignedPreKey(client.options.Account.Keys.Identity, newest.ID+1, time.Time{})
		if err = client.options.Store.AddSignedPreKey(ctx, fresh); err != nil {
			return fmt.Errorf("failed to store the signed prekey: %w", err)
		}
	}
	_, err = c.ask(ctx, request{namespace: "encrypt", kind: "set", content: []waBinary.Node{
		{Tag: "rotate", Content: []waBinary.Node{signedPreKeyNode(&fresh)}},
	}})
	if err != nil {
		return fmt.Errorf("failed to upload the signed prekey: %w", err)
	}
	fresh.Created = now
	if err = client.options.Store.AddSignedPreKey(ctx, fresh); err != nil {
		return fmt.Errorf("failed to note that the signed prekey is uploaded: %w", err)
	}
	c.run.log.Debug().Uint32("key_id", fresh.ID).Msg("Renewed the signed prekey")
	return client.options.Store.RemoveSignedPreKeys(ctx, now.Add(-signedPreKeyKept))
}

// topUpPreKeys uploads one-time prekeys if the gatekeeper holds few. left is how many it holds, negative to ask it.
//
// If the answer to an upload is lost, the same keys are uploaded again, and one of them may reach two contacts: the second
// one's first message cannot be decrypted and is mended by a retry.
func (c *connection) topUpPreKeys(ctx context.Context, left int) (err error) {
	c.run.uploading.Lock()
	defer c.run.uploading.Unlock()
	if left < 0 {
		if left, err = c.countPreKeys(ctx); err != nil {
			return err
		}
	}
	if left >= lowPreKeys {
		return nil
	}
	keys, err := c.run.preKeysToUpload(ctx, wantedPreKeys-left)
	if err != nil {
		return err
	}
	signed, err := c.run.client.options.Store.LoadSignedPreKey(ctx, 0)
	if err != nil {
		return fmt.Errorf("failed to load the signed prekey: %w", err)
	} else if signed == nil {
		return errNoSignedKey
	}
	list := make([]waBinary.Node, len(keys))
	for i, key := range keys {
		list[i] = preKeyNode(key)
	}
	local := c.run.client.options.Account.Keys
	_, err = c.ask(ctx, request{namespace: "encrypt", kind: "set", content: []waBinary.Node{
		registrationNode(local.RegistrationID),
		{Tag: "type", Content: []byte{djbType}},
		{Tag: "identity", Content: local.Identity.Pub[:]},
		{Tag: "list", Content: list},
		signedPreKeyNode(signed),
	}})
	if err != nil {
		return fmt.Errorf("failed to upload prekeys: %w", err)
	}
	if err = c.run.client.options.Store.MarkPreKeysUploaded(ctx, keys[len(keys)-1].ID); err != nil {
		return fmt.Errorf("failed to mark prekeys as uploaded: %w", err)
	}
	c.run.log.Debug().Int("count", len(keys)).Int("left", left).Msg("Uploaded prekeys")
	return nil
}

// countPreKeys asks how many one-time prekeys the gatekeeper holds.
func (c *connection) countPreKeys(ctx context.Context) (int, error) {
	answer, err := c.ask(ctx, request{namespace: "encrypt", kind: "get", content: []waBinary.Node{{Tag: "count"}}})
	if err != nil {
		return 0, fmt.Errorf("failed to count prekeys: %w", err)
	}
	count := child(answer, "count")
	if count == nil {
		return 0, fmt.Errorf("failed to count prekeys: %w", wire.ErrMalformed)
	}
	return max(0, intAttr(count, "value")), nil
}

// preKeysToUpload returns at least count keys that the gatekeeper does not have: those left over from an upload that
// did not succeed, and new ones.
func (r *run) preKeysToUpload(ctx context.Context, count int) (keys []PreKey, err error) {
	err = r.client.options.Store.Atomically(ctx, func(ctx context.Context) error {
		keys, err = r.client.options.Store.UnsentPreKeys(ctx)
		if err != nil || len(keys) >= count {
			return err
		}
		fresh, err := r.makePreKeys(ctx, count-len(keys), false)
		keys = append(keys, fresh...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("failed to make prekeys: %w", err)
	}
	return keys[:min(len(keys), maxPreKeysInUpload)], nil
}

// makePreKeys makes and stores keys with the next ids. sent is explained at [PreKeyStore].
func (r *run) makePreKeys(ctx context.Context, count int, sent bool) (keys []PreKey, err error) {
	fresh := make([]KeyPair, count) // outside the transaction, since it takes the most time
	for i := range fresh {
		fresh[i] = NewKeyPair()
	}
	err = r.client.options.Store.Atomically(ctx, func(ctx context.Context) error {
		last, err := r.client.options.Store.LastPreKeyID(ctx)
		if err != nil {
			return err
		} else if uint64(last)+uint64(count) > maxPreKeyID {
			return errPreKeysUsedUp
		}
		keys = make([]PreKey, count)
		for i := range keys {
			keys[i] = PreKey{ID: last + 1 + uint32(i), KeyPair: fresh[i]}
		}
		return r.client.options.Store.AddPreKeys(ctx, keys, sent)
	})
	return keys, err
}

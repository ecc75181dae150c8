package interop

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/types"
)

// Identities returns the identity keys that messages to a contact are encrypted for: those of all devices that the gatekeeper
// names. A device that there is no session with is asked for its keys, as for a message. If a key turns out to be a changed
// one, the handler hears of it.
//
// Errors: ErrNotConnected, ErrUnknownContact, ErrNotReachable, ErrNoKeys if a device has none, and those of the request and the store.
func (c *Client) Identities(ctx context.Context, contact types.JID) ([][32]byte, error) {
	contact = contact.ToNonAD()
	if !isContact(contact) {
		return nil, ErrUnknownContact
	}
	connection := c.connected()
	if connection == nil {
		return nil, ErrNotConnected
	}
	lists, problems, err := connection.devicesOf(ctx, []types.JID{contact})
	if err == nil && problems[contact] != nil {
		err, _ = verdict(problems[contact])
	}
	if err != nil {
		return nil, fmt.Errorf("failed to look up a contact's devices: %w", err)
	}
	devices := lists[contact]
	if err = connection.startMissing(ctx, devices); err != nil {
		return nil, err
	}
	keys := make([][32]byte, 0, len(devices))
	for _, device := range devices {
		key, known, err := c.options.Store.LoadIdentity(ctx, AddressOf(device))
		if err != nil {
			return nil, fmt.Errorf("failed to load an identity key: %w", err)
		} else if !known {
			return nil, fmt.Errorf("failed to collect identity keys: %w", ErrNoKeys)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// startMissing begins sessions with the devices that there is none with.
func (c *connection) startMissing(ctx context.Context, devices []types.JID) error {
	sessions := c.run.client.sessions
	missing, err := sessions.missing(ctx, devices)
	if err != nil || len(missing) == 0 {
		return err
	}
	bundles, err := c.fetchBundles(ctx, missing)
	if err != nil {
		return err
	}
	result, err := sessions.start(ctx, missing, bundles)
	if err != nil {
		return err
	}
	c.run.reportIdentities(result.changed)
	for _, device := range missing {
		if result.refused[device] != nil || bundles[device] == nil {
			return fmt.Errorf("failed to start a session: %w", ErrNoKeys)
		}
	}
	return nil
}

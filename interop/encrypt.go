package interop

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/whatsmeow/types"
)

// encrypted is one message for one device.
type encrypted struct {
	device     types.JID
	kind       encType
	ciphertext []byte
}

// plainMessage is a message to encrypt for several devices of one contact.
type plainMessage struct {
	// plaintext is not padded yet.
	plaintext []byte
	devices   []types.JID
}

// encryption is the outcome of encrypt.
type encryption struct {
	// messages holds, for each message, its ciphertexts: one for every device that has a session.
	messages [][]encrypted
	// held tells, for each contact with a message, whether nothing was encrypted because the user has to agree to a new key.
	held map[types.JID]bool
	// changed are the devices whose identity key is not the one known before.
	changed []types.JID
	// refused are the devices whose bundle could not be used, with the reason.
	refused map[types.JID]error
}

// missing returns those of the devices that there is no session for that messages can be sent in.
func (s *sessions) missing(ctx context.Context, devices []types.JID) ([]types.JID, error) {
	var without []types.JID
	for _, device := range devices {
		usable, err := s.usable(ctx, AddressOf(device))
		if err != nil {
			return nil, err
		} else if !usable {
			without = append(without, device)
		}
	}
	return without, nil
}

func (s *sessions) usable(ctx context.Context, address Address) (bool, error) {
	held := s.hold(address)
	defer held.release()
	current, err := held.load(ctx, address)
	if err != nil {
		return false, &storeError{err}
	}
	return current != nil && current.SessionState().HasSenderChain(), nil
}

// encrypt makes the ciphertexts of messages, in their order, for all their devices. First it starts sessions from the
// bundles: a bundle is used only if there is no session, or if replace says that the bundle is newer than the session.
// All steps of all sessions are stored in one transaction: only after it may a ciphertext leave, and if it fails no
// message key was used, since none left. Devices without a session are left out. For a contact that is held, now or because
// of a key that a bundle had, the sessions are started and nothing is encrypted.
func (s *sessions) encrypt(ctx context.Context, messages []plainMessage, bundles map[types.JID]*preKeyBundle, replace bool) (result encryption, err error) {
	var addresses []Address
	for _, message := range messages {
		for _, device := range message.devices {
			addresses = append(addresses, AddressOf(device))
		}
	}
	held := s.hold(addresses...)
	defer held.release()
	err = s.store.Atomically(ctx, func(ctx context.Context) error {
		result = encryption{messages: make([][]encrypted, len(messages))}
		steps, err := s.prepareAll(ctx, held, messages, bundles, replace, &result)
		if err != nil {
			return err
		}
		for i, message := range messages {
			if result.messages[i], err = s.encryptFor(ctx, message, steps, &result); err != nil {
				return err
			}
		}
		if replace {
			if err = held.dropHeld(ctx, steps, &result); err != nil {
				return err
			}
		}
		return held.saveAll(ctx, steps)
	})
	if err != nil {
		held.forget()
		return encryption{}, &storeError{err}
	}
	return result, nil
}

// start begins sessions with devices from their bundles, where there are none, without sending anything.
func (s *sessions) start(ctx context.Context, devices []types.JID, bundles map[types.JID]*preKeyBundle) (result encryption, err error) {
	addresses := make([]Address, len(devices))
	for i, device := range devices {
		addresses[i] = AddressOf(device)
	}
	held := s.hold(addresses...)
	defer held.release()
	err = s.store.Atomically(ctx, func(ctx context.Context) error {
		result = encryption{}
		steps, err := s.prepareAll(ctx, held, []plainMessage{{devices: devices}}, bundles, false, &result)
		if err != nil {
			return err
		}
		return held.saveAll(ctx, steps)
	})
	if err != nil {
		held.forget()
		return encryption{}, &storeError{err}
	}
	return result, nil
}

// dropHeld deletes the sessions of held contacts, those that came out of replacing too: the keys that they were made from come
// again with the contact's next request, and can be used only once.
func (h *heldSessions) dropHeld(ctx context.Context, steps map[Address]*signalStep, result *encryption) error {
	for address, step := range steps {
		if step != nil && result.held[address.JID().ToNonAD()] {
			if err := h.delete(ctx, address); err != nil {
				return err
			}
			delete(steps, address)
		}
	}
	return nil
}

// saveAll is save for all steps that there are.
func (h *heldSessions) saveAll(ctx context.Context, steps map[Address]*signalStep) error {
	for address, step := range steps {
		if step != nil {
			if err := h.save(ctx, address, step.record); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepareAll prepares the sessions with all devices that messages are for.
func (s *sessions) prepareAll(
	ctx context.Context, held *heldSessions, messages []plainMessage, bundles map[types.JID]*preKeyBundle, replace bool, result *encryption,
) (map[Address]*signalStep, error) {
	steps := make(map[Address]*signalStep, len(held.entries))
	for _, message := range messages {
		for _, device := range message.devices {
			address := AddressOf(device)
			if _, known := steps[address]; known {
				continue
			}
			step, err := s.prepare(ctx, held, device, bundles[device], replace, result)
			if err != nil {
				return nil, err
			}
			steps[address] = step
		}
	}
	return steps, nil
}

// encryptFor makes the ciphertexts of one message, none if its contact is held.
func (s *sessions) encryptFor(
	ctx context.Context, message plainMessage, steps map[Address]*signalStep, result *encryption,
) (ciphertexts []encrypted, err error) {
	for _, device := range message.devices {
		if waits, err := result.isHeld(ctx, s.store, device.ToNonAD()); err != nil || waits {
			return nil, err
		}
		step := steps[AddressOf(device)]
		if step == nil {
			continue
		}
		kind, ciphertext, err := step.encrypt(ctx, pad(message.plaintext))
		if err != nil {
			return nil, err
		}
		ciphertexts = append(ciphertexts, encrypted{device: device, kind: kind, ciphertext: ciphertext})
	}
	return ciphertexts, nil
}

// prepare loads a device's session or starts one from its bundle. The step is nil if there is neither.
func (s *sessions) prepare(ctx context.Context, held *heldSessions, device types.JID, bundle *preKeyBundle, replace bool, result *encryption) (*signalStep, error) {
	address := AddressOf(device)
	current, err := held.load(ctx, address)
	if err != nil {
		return nil, err
	}
	usable := current != nil && current.SessionState().HasSenderChain()
	step := newSignalStep(s.local, s.store, address, current)
	if bundle == nil || usable && !replace {
		if !usable {
			return nil, nil
		}
		return step, nil
	}
	if err = step.start(ctx, bundle); err != nil {
		held.entry(address).record = nil
		if result.refused == nil {
			result.refused = make(map[types.JID]error)
		}
		result.refused[device] = err
		return nil, nil
	}
	changed, err := s.learnIdentity(ctx, address, step)
	if err != nil {
		return nil, err
	} else if changed {
		// In the same transaction, so that the event is not lost if the program ends before it is told.
		if err = s.store.SetIdentityTold(ctx, address, false); err != nil {
			return nil, fmt.Errorf("failed to note that an identity key is new: %w", err)
		}
		result.changed = append(result.changed, device)
	}
	return step, nil
}

// start begins a session from a bundle, after checking the signature in it.
func (s *signalStep) start(ctx context.Context, bundle *preKeyBundle) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%w: library panicked with %T", errBadBundle, problem)
		}
	}()
	if err = s.builder().ProcessBundle(ctx, bundle.toSignal(uint32(s.address.DeviceID()))); err != nil {
		return fmt.Errorf("%w: %w", errBadBundle, err)
	}
	return nil
}

// encrypt advances the session by one message.
func (s *signalStep) encrypt(ctx context.Context, padded []byte) (encType, []byte, error) {
	message, err := s.cipher().Encrypt(ctx, padded)
	if err != nil {
		return "", nil, fmt.Errorf("failed to encrypt: %w", err)
	}
	if message.Type() == protocol.PREKEY_TYPE {
		return encPreKey, message.Serialize(), nil
	}
	return encNormal, message.Serialize(), nil
}

// errBadBundle: a device's prekeys are malformed or not signed by its identity key.
var errBadBundle = errors.New("prekeys of the device cannot be used")

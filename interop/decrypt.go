package interop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/signalerror"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/util/medium"
)

// encType is the type attribute of an enc node.
type encType string

const (
	encPreKey encType = "pkmsg" // starts a session
	encNormal encType = "msg"
)

// maxCiphertext bounds one enc node, in bytes.
const maxCiphertext = 1 << 20

// errBadCiphertext: the ciphertext is not a Signal message, or libsignal could not handle it.
var errBadCiphertext = errors.New("malformed ciphertext")

// receivedHash is the key of the inbox for a ciphertext.
func receivedHash(sender Address, kind encType, ciphertext []byte) [32]byte {
	hash := sha256.New()
	hash.Write([]byte(sender.String()))
	hash.Write([]byte{0})
	hash.Write([]byte(kind))
	hash.Write([]byte{0})
	hash.Write(ciphertext)
	return [32]byte(hash.Sum(nil))
}

// decrypted is the outcome of a successful decryption.
type decrypted struct {
	hash [32]byte
	// envelope is what the inbox holds, see openEnvelope; nil if the message was delivered before.
	envelope []byte
}

// decrypt advances the sender's session by one message. The step, what follows from it (a prekey used up, an identity
// learnt) and the plain text are stored in one transaction: after it the message is safe, before it nothing has
// happened. A ciphertext that was decrypted before gives the same plain text again, or none if it was delivered.
//
// A [*storeError] says nothing about the message, which should be tried again later. Every other error is final for this
// ciphertext and for the sender to mend, by a retry.
func (s *sessions) decrypt(ctx context.Context, sender Address, kind encType, ciphertext []byte) (result decrypted, err error) {
	result.hash = receivedHash(sender, kind, ciphertext)
	held := s.hold(sender)
	defer held.release()
	var fault error // the message's, as opposed to the store's
	err = s.store.Atomically(ctx, func(ctx context.Context) error {
		envelope, found, err := s.store.FindReceived(ctx, result.hash)
		if err != nil {
			return fmt.Errorf("failed to look for the ciphertext: %w", err)
		} else if found {
			result.envelope = envelope
			return nil
		}
		current, err := held.load(ctx, sender)
		if err != nil {
			return err
		}
		step := newSignalStep(s.local, s.store, sender, current)
		plaintext, usedPreKey, err := step.decrypt(ctx, kind, ciphertext)
		if err != nil {
			if step.storeErr == nil {
				fault = err
			}
			return err
		}
		result.envelope, err = s.keepDecrypted(ctx, held, sender, step, plaintext, usedPreKey)
		if err != nil {
			return err
		} else if err = s.store.PutReceived(ctx, result.hash, result.envelope); err != nil {
			return fmt.Errorf("failed to store the plain text: %w", err)
		}
		return nil
	})
	switch {
	case err == nil:
		return result, nil
	case fault != nil:
		held.forget()
		return decrypted{}, fault
	default:
		held.forget()
		return decrypted{}, &storeError{err}
	}
}

// keepDecrypted stores what a decryption changed, within the caller's transaction, and returns the envelope for the inbox.
func (s *sessions) keepDecrypted(ctx context.Context, held *heldSessions, sender Address, step *signalStep, plaintext []byte, usedPreKey uint32) ([]byte, error) {
	changed, err := s.learnIdentity(ctx, sender, step)
	if err != nil {
		return nil, err
	} else if usedPreKey != 0 {
		if err = s.store.RemovePreKey(ctx, usedPreKey); err != nil {
			return nil, fmt.Errorf("failed to remove prekey %d: %w", usedPreKey, err)
		}
	}
	if err = held.save(ctx, sender, step.record); err != nil {
		return nil, err
	}
	return sealEnvelope(plaintext, changed), nil
}

// learnIdentity stores the identity key that a new session came with, within the caller's transaction. changed tells
// whether another one was known before.
func (s *sessions) learnIdentity(ctx context.Context, remote Address, step *signalStep) (changed bool, err error) {
	if step.remote == nil {
		return false, nil
	}
	known, found, err := s.store.LoadIdentity(ctx, remote)
	if err != nil {
		return false, fmt.Errorf("failed to load the identity key: %w", err)
	} else if found && known == *step.remote {
		return false, nil
	} else if err = s.store.SaveIdentity(ctx, remote, *step.remote); err != nil {
		return false, fmt.Errorf("failed to store the identity key: %w", err)
	}
	if found {
		if err = s.distrust(ctx, remote.JID()); err != nil {
			return false, err
		}
	}
	return found, nil
}

// decrypt runs libsignal on the step's record. usedPreKey is 0 if none was. libsignal panics on some malformed input.
func (s *signalStep) decrypt(ctx context.Context, kind encType, ciphertext []byte) (plaintext []byte, usedPreKey uint32, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			// The panic's value may quote content, so only its type is told.
			plaintext, usedPreKey, err = nil, 0, fmt.Errorf("%w: library panicked with %T", errBadCiphertext, problem)
		}
	}()
	if kind == encNormal {
		message, err := protocol.NewSignalMessageFromBytes(ciphertext, signalMessages.SignalMessage)
		if err != nil {
			return nil, 0, fmt.Errorf("%w: %w", errBadCiphertext, err)
		} else if s.record.IsFresh() {
			return nil, 0, signalerror.ErrNoSessionForUser
		}
		plaintext, err = s.decryptWithStates(ctx, message)
		return plaintext, 0, err
	}
	message, err := protocol.NewPreKeySignalMessageFromBytes(ciphertext, signalMessages.PreKeySignalMessage, signalMessages.SignalMessage)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errBadCiphertext, err)
	}
	preKeyID, err := s.builder().Process(ctx, s.record, message)
	if err != nil {
		return nil, 0, err
	}
	if preKeyID != nil && !preKeyID.IsEmpty && preKeyID.Value != medium.MaxValue {
		usedPreKey = preKeyID.Value
	}
	plaintext, err = s.decryptWithStates(ctx, message.WhisperMessage())
	if err != nil {
		return nil, 0, err
	}
	// libsignal reported the key that stands in the message, which nothing authenticates if the session exists already. That
	// of the session is in the message's MAC.
	remote := s.record.SessionState().RemoteIdentityKey().PublicKey().PublicKey()
	s.remote = &remote
	return plaintext, usedPreKey, nil
}

// decryptWithStates finds the session state that the message belongs to. libsignal's own search changes the current state
// even when an older one turns out to be right, which breaks the current one; so older states are tried on copies.
func (s *signalStep) decryptWithStates(ctx context.Context, message *protocol.SignalMessage) ([]byte, error) {
	current := s.record.SessionState()
	var before *record.SessionStructure
	if len(s.record.PreviousSessionStates()) > 0 && !current.HasReceiverChain(message.SenderRatchetKey()) {
		before = s.record.Structure()
	}
	cipher := s.cipher()
	plaintext, _, err := cipher.DecryptWithState(ctx, current, message)
	if err == nil || before == nil || errors.Is(err, signalerror.ErrOldCounter) {
		return plaintext, err
	}
	for i, structure := range before.PreviousStates {
		state, stateErr := record.NewStateFromStructure(structure, nil)
		if stateErr != nil {
			return nil, fmt.Errorf("%w: %w", errSessionFormat, stateErr)
		}
		plaintext, _, stateErr = cipher.DecryptWithState(ctx, state, message)
		if errors.Is(stateErr, signalerror.ErrOldCounter) {
			return nil, stateErr
		} else if stateErr != nil {
			continue
		}
		before.PreviousStates = append(before.PreviousStates[:i], before.PreviousStates[i+1:]...)
		if s.record, stateErr = restoreSession(before); stateErr != nil {
			return nil, stateErr
		}
		s.record.PromoteState(state)
		return plaintext, nil
	}
	return nil, err
}

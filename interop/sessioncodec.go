package interop

import (
	"errors"
	"fmt"

	"go.mau.fi/libsignal/keys/chain"
	"go.mau.fi/libsignal/keys/message"
	"go.mau.fi/libsignal/serialize"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/util/optional"
	"google.golang.org/protobuf/proto"
)

const (
	// maxSession bounds a serialized session. Far over what the limits below allow, so it only refuses nonsense.
	maxSession = 1 << 20
	// maxSkippedKeys bounds the keys of messages that were announced but did not come, over all states of a session.
	// libsignal allows 2,000 in each of 5 chains of each of 41 states, which a contact could fill to make every later
	// message cost tens of megabytes.
	maxSkippedKeys = 2000
)

// errSessionFormat: stored bytes are not a session.
var errSessionFormat = errors.New("stored session is malformed")

// encodeSession serializes a session as Signal's own RecordStructure. libsignal's serializer for it is JSON with base64,
// twice the size and ten times the time.
func encodeSession(session *record.SessionStructure) ([]byte, error) {
	encoded := &serialize.RecordStructure{CurrentSession: encodeState(session.SessionState)}
	for _, previous := range session.PreviousStates {
		encoded.PreviousSessions = append(encoded.PreviousSessions, encodeState(previous))
	}
	data, err := proto.Marshal(encoded)
	if err != nil {
		return nil, fmt.Errorf("failed to serialize a session: %w", err)
	} else if len(data) > maxSession {
		return nil, fmt.Errorf("failed to serialize a session: %d bytes, limit %d", len(data), maxSession)
	}
	return data, nil
}

func encodeState(state *record.StateStructure) *serialize.SessionStructure {
	encoded := &serialize.SessionStructure{
		SessionVersion:       proto.Uint32(uint32(state.SessionVersion)),
		LocalIdentityPublic:  state.LocalIdentityPublic,
		RemoteIdentityPublic: state.RemoteIdentityPublic,
		RootKey:              state.RootKey,
		PreviousCounter:      proto.Uint32(state.PreviousCounter),
		SenderChain:          encodeChain(state.SenderChain),
		ReceiverChains:       make([]*serialize.SessionStructure_Chain, len(state.ReceiverChains)),
		RemoteRegistrationId: proto.Uint32(state.RemoteRegistrationID),
		LocalRegistrationId:  proto.Uint32(state.LocalRegistrationID),
		AliceBaseKey:         state.SenderBaseKey,
	}
	for i, receiver := range state.ReceiverChains {
		encoded.ReceiverChains[i] = encodeChain(receiver)
	}
	if pending := state.PendingPreKey; pending != nil {
		encoded.PendingPreKey = &serialize.SessionStructure_PendingPreKey{
			SignedPreKeyId: proto.Int32(int32(pending.SignedPreKeyID)),
			BaseKey:        pending.BaseKey,
		}
		if pending.PreKeyID != nil && !pending.PreKeyID.IsEmpty {
			encoded.PendingPreKey.PreKeyId = proto.Uint32(pending.PreKeyID.Value)
		}
	}
	return encoded
}

func encodeChain(from *record.ChainStructure) *serialize.SessionStructure_Chain {
	encoded := &serialize.SessionStructure_Chain{
		SenderRatchetKey:        from.SenderRatchetKeyPublic,
		SenderRatchetKeyPrivate: from.SenderRatchetKeyPrivate,
		ChainKey:                &serialize.SessionStructure_Chain_ChainKey{Index: proto.Uint32(from.ChainKey.Index), Key: from.ChainKey.Key},
	}
	for _, key := range from.MessageKeys {
		encoded.MessageKeys = append(encoded.MessageKeys, &serialize.SessionStructure_Chain_MessageKey{
			Index: proto.Uint32(key.Index), CipherKey: key.CipherKey, MacKey: key.MacKey, Iv: key.IV,
		})
	}
	return encoded
}

// decodeSession reads what encodeSession wrote. Everything that libsignal takes on trust is checked here, since it would
// panic later.
func decodeSession(data []byte) (*record.Session, error) {
	var encoded serialize.RecordStructure
	if len(data) > maxSession {
		return nil, errSessionFormat
	} else if err := proto.Unmarshal(data, &encoded); err != nil {
		return nil, fmt.Errorf("%w: %w", errSessionFormat, err)
	}
	current, err := decodeState(encoded.GetCurrentSession())
	if err != nil {
		return nil, err
	}
	structure := &record.SessionStructure{SessionState: current}
	for _, previous := range encoded.GetPreviousSessions() {
		state, err := decodeState(previous)
		if err != nil {
			return nil, err
		}
		structure.PreviousStates = append(structure.PreviousStates, state)
	}
	return restoreSession(structure)
}

// restoreSession makes a session of its structure. No serializers are given: only libsignal's own storage needs them.
func restoreSession(structure *record.SessionStructure) (*record.Session, error) {
	session, err := record.NewSessionFromStructure(structure, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSessionFormat, err)
	}
	return session, nil
}

func decodeState(encoded *serialize.SessionStructure) (*record.StateStructure, error) {
	if encoded == nil || len(encoded.GetRootKey()) != 32 ||
		!arePublicKeys(encoded.GetLocalIdentityPublic(), encoded.GetRemoteIdentityPublic(), encoded.GetAliceBaseKey()) {
		return nil, errSessionFormat
	}
	state := &record.StateStructure{
		LocalIdentityPublic:  encoded.GetLocalIdentityPublic(),
		LocalRegistrationID:  encoded.GetLocalRegistrationId(),
		PreviousCounter:      encoded.GetPreviousCounter(),
		ReceiverChains:       make([]*record.ChainStructure, len(encoded.GetReceiverChains())),
		RemoteIdentityPublic: encoded.GetRemoteIdentityPublic(),
		RemoteRegistrationID: encoded.GetRemoteRegistrationId(),
		RootKey:              encoded.GetRootKey(),
		SenderBaseKey:        encoded.GetAliceBaseKey(),
		SessionVersion:       int(encoded.GetSessionVersion()),
	}
	var err error
	if state.SenderChain, err = decodeChain(encoded.GetSenderChain()); err != nil {
		return nil, err
	} else if len(state.SenderChain.SenderRatchetKeyPrivate) != 32 {
		return nil, errSessionFormat
	}
	for i, receiver := range encoded.GetReceiverChains() {
		if state.ReceiverChains[i], err = decodeChain(receiver); err != nil {
			return nil, err
		}
	}
	if pending := encoded.GetPendingPreKey(); pending != nil {
		if !arePublicKeys(pending.GetBaseKey()) {
			return nil, errSessionFormat
		}
		state.PendingPreKey = &record.PendingPreKeyStructure{
			PreKeyID:       optional.NewEmptyUint32(),
			SignedPreKeyID: uint32(pending.GetSignedPreKeyId()),
			BaseKey:        pending.GetBaseKey(),
		}
		if pending.PreKeyId != nil {
			state.PendingPreKey.PreKeyID = optional.NewOptionalUint32(pending.GetPreKeyId())
		}
	}
	return state, nil
}

func decodeChain(encoded *serialize.SessionStructure_Chain) (*record.ChainStructure, error) {
	if encoded == nil || encoded.ChainKey == nil || len(encoded.ChainKey.GetKey()) != 32 || !arePublicKeys(encoded.GetSenderRatchetKey()) {
		return nil, errSessionFormat
	}
	decoded := &record.ChainStructure{
		SenderRatchetKeyPublic:  encoded.GetSenderRatchetKey(),
		SenderRatchetKeyPrivate: encoded.GetSenderRatchetKeyPrivate(),
		ChainKey:                &chain.KeyStructure{Index: encoded.ChainKey.GetIndex(), Key: encoded.ChainKey.GetKey()},
		MessageKeys:             make([]*message.KeysStructure, len(encoded.GetMessageKeys())),
	}
	for i, key := range encoded.GetMessageKeys() {
		if len(key.GetCipherKey()) != message.CipherKeyLength || len(key.GetMacKey()) != message.MacKeyLength || len(key.GetIv()) != message.IVLength {
			return nil, errSessionFormat
		}
		decoded.MessageKeys[i] = &message.KeysStructure{Index: key.GetIndex(), CipherKey: key.GetCipherKey(), MacKey: key.GetMacKey(), IV: key.GetIv()}
	}
	return decoded, nil
}

// arePublicKeys tells whether all are public keys in their 33-byte form.
func arePublicKeys(keys ...[]byte) bool {
	for _, key := range keys {
		if len(key) != 33 || key[0] != djbType {
			return false
		}
	}
	return true
}

// trimSession drops skipped keys over the limit and tells whether there were any: those of older states go first, then
// those of older chains, then the oldest.
func trimSession(session *record.SessionStructure) bool {
	room, trimmed := maxSkippedKeys, false
	trim := func(state *record.StateStructure) {
		for i := len(state.ReceiverChains) - 1; i >= 0; i-- { // the newest chain is the last
			receiver := state.ReceiverChains[i]
			if over := len(receiver.MessageKeys) - room; over > 0 {
				receiver.MessageKeys, trimmed = receiver.MessageKeys[over:], true
			}
			room -= len(receiver.MessageKeys)
		}
	}
	trim(session.SessionState)
	for _, previous := range session.PreviousStates {
		trim(previous)
	}
	return trimmed
}

package homeserver

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// shareTries is how often a session may be outdated when its key is shared.
const shareTries = 3

// encrypt replaces content by its encrypted form. A room without a session of the device, or with one that is used up, gets a
// new one first. Errors: errGone, and others.
func (d *device) encrypt(ctx context.Context, room id.RoomID, kind event.Type, content *event.Content) error {
	if err := d.use(); err != nil {
		return err
	}
	defer d.using.RUnlock()
	defer d.sharing.WithLock(room)()
	encrypted, err := d.machine.EncryptMegolmEvent(ctx, room, kind, content)
	for try := 0; crypto.IsShareError(err) && try < shareTries; try++ {
		if err = d.share(ctx, room); err != nil {
			return fmt.Errorf("failed to share keys: %w", err)
		}
		encrypted, err = d.machine.EncryptMegolmEvent(ctx, room, kind, content)
	}
	if err != nil {
		return err
	}
	content.Parsed, content.Raw = encrypted, nil
	return nil
}

// share makes a session for the room and sends its key to the devices of all members but our own users; see missingKeys for those
// that cannot be reached. If the members or their devices change meanwhile, there is no session afterwards, and another has to be
// made. mautrix has this too, but says of a device that it could not reach that it has the key.
func (d *device) share(ctx context.Context, room id.RoomID) error {
	d.collectBeforeSharing(ctx)
	members, err := d.crypto.members(ctx, room)
	if err != nil {
		return fmt.Errorf("failed to list the members: %w", err)
	}
	if err = d.crypto.track(ctx, members); err != nil {
		return err
	}
	d.crypto.regular.took(room)
	rotation := d.store.rotations.of(room)
	before := rotation.Load()
	session, err := d.newSession(ctx, room)
	if err != nil {
		return err
	}
	key := session.ShareContent()
	messages := make(map[id.UserID]map[id.DeviceID]*event.Content)
	for _, member := range members {
		devices, err := d.store.GetDevices(ctx, member)
		if err != nil {
			return fmt.Errorf("failed to list the devices of a member: %w", err)
		}
		messages[member] = make(map[id.DeviceID]*event.Content, len(devices))
		for device := range devices {
			messages[member][device] = &key
		}
	}
	missed, err := d.send(ctx, messages)
	if err != nil {
		return err
	}
	if err = d.crypto.connector.missing.add(ctx, d.user, session, missed); err != nil {
		return err
	}
	session.Shared = true
	if err = d.store.AddOutboundGroupSession(ctx, session); err != nil {
		return fmt.Errorf("failed to store a session: %w", err)
	}
	if rotation.Load() != before {
		return d.store.RemoveOutboundGroupSession(ctx, room)
	}
	return nil
}

// newSession makes a session and stores its key like one that was received, to read the own messages with.
func (d *device) newSession(ctx context.Context, room id.RoomID) (*crypto.OutboundGroupSession, error) {
	states := d.crypto.connector.StateStore
	encryption, err := states.GetEncryptionEvent(ctx, room)
	if err != nil {
		return nil, fmt.Errorf("failed to look up how a room is encrypted: %w", err)
	}
	visibility, err := states.GetHistoryVisibility(ctx, room)
	if err != nil {
		return nil, fmt.Errorf("failed to look up who may read a room's history: %w", err)
	}
	session, err := crypto.NewOutboundGroupSession(room, encryption, visibility)
	if err != nil {
		return nil, fmt.Errorf("failed to make a session: %w", err)
	}
	signing, sender := d.machine.GetAccount().Keys()
	own, err := crypto.NewInboundGroupSession(
		sender, signing, room, session.Internal.Key(), session.MaxAge, session.MaxMessages, session.SharedHistory, false)
	if err != nil {
		return nil, fmt.Errorf("failed to keep the key of a session: %w", err)
	}
	own.SourceUser = d.user
	if err = d.store.PutGroupSession(ctx, own); err != nil {
		return nil, fmt.Errorf("failed to store the key of a session: %w", err)
	}
	return session, nil
}

// send encrypts room keys for devices and sends them. It returns the devices that could not be reached, because they have no
// one-time key left.
func (d *device) send(ctx context.Context, messages map[id.UserID]map[id.DeviceID]*event.Content) ([]crypto.UserDevice, error) {
	encrypted, err := d.machine.EncryptToDevices(ctx, event.ToDeviceRoomKey, &mautrix.ReqSendToDevice{Messages: messages})
	if err != nil {
		return nil, fmt.Errorf("failed to encrypt a room key: %w", err)
	}
	var missed []crypto.UserDevice
	for user, devices := range messages {
		for device := range devices {
			if encrypted.Messages[user][device] == nil {
				missed = append(missed, crypto.UserDevice{UserID: user, DeviceID: device})
			}
		}
		if len(encrypted.Messages[user]) == 0 {
			delete(encrypted.Messages, user)
		}
	}
	if len(encrypted.Messages) == 0 {
		return missed, nil
	}
	if _, err = d.client.SendToDevice(ctx, event.ToDeviceEncrypted, encrypted); err != nil {
		return nil, fmt.Errorf("failed to send a room key: %w", err)
	}
	return missed, nil
}

// members returns those who get a room's keys. If nobody is known, the homeserver is asked: it pushes no event that is
// older than our own membership, such as the creator's in a room of another server.
func (m *megolm) members(ctx context.Context, room id.RoomID) ([]id.UserID, error) {
	members, err := m.bot.store.GetRoomJoinedOrInvitedMembers(ctx, room)
	if err != nil || len(members) > 0 {
		return members, err
	}
	if _, err = m.connector.Bot.Members(ctx, room); err != nil {
		return nil, err
	}
	return m.bot.store.GetRoomJoinedOrInvitedMembers(ctx, room)
}

// track asks for the devices of members that are not known yet, or may not be known rightly. Changes are told to the bot, for all of our devices.
func (m *megolm) track(ctx context.Context, members []id.UserID) error {
	m.tracking.Lock()
	defer m.tracking.Unlock()
	tracked, err := m.bot.store.FilterTrackedUsers(ctx, members)
	if err != nil {
		return fmt.Errorf("failed to look up whose devices are known: %w", err)
	}
	known := make(map[id.UserID]bool, len(tracked))
	for _, user := range tracked {
		known[user] = true
	}
	var unknown []id.UserID
	for _, member := range members {
		// See regularLooks. A new session is rare, so it is worth the question.
		if !known[member] || m.connector.toDevicePushed.Load() && !m.isElsewhere(member) {
			unknown = append(unknown, member)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	if _, err = m.bot.machine.FetchKeys(ctx, unknown, true); err != nil {
		return fmt.Errorf("failed to ask for the devices of members: %w", err)
	}
	return nil
}

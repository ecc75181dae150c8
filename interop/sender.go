package interop

import (
	"context"
	"errors"
	"fmt"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// work is the sender goroutine. It ends when there is nothing to send, or nothing may be sent for now; whatever changes
// that wakes it up again.
func (o *outbox) work() {
	for {
		o.mu.Lock()
		connection := o.run.connected()
		if !o.canSend() || connection == nil {
			o.working = false
			o.mu.Unlock()
			return
		}
		o.again = false
		cursor, setBacks, room := o.cursor, o.setBacks, min(sendBatch, sendWindow-o.unacked)
		o.mu.Unlock()

		pending, err := o.run.client.options.Store.PendingMessages(o.run.handling, cursor, room)
		if err != nil {
			o.run.log.Error().Err(err).Msg("Failed to load pending messages")
			o.pauseSending()
			continue
		}
		batch, more := o.take(pending, setBacks)
		if len(batch) > 0 {
			o.send(connection, setBacks, batch)
		} else if !more {
			return
		}
	}
}

// take moves the cursor over the messages that were loaded, starts to complete drafts among them and returns those to be
// sent now. more is false if there is nothing left to look at, in which case the sender counts as ended.
func (o *outbox) take(pending []Outgoing, setBacks uint64) (batch []Outgoing, more bool) {
	var heldBack []Outgoing
	var damaged []*tracked
	defer func() {
		for _, message := range heldBack {
			o.tellHeldBack(&message)
		}
		for _, message := range damaged {
			o.finish(message, ErrDamaged)
		}
	}()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(pending) == 0 {
		if o.again || o.setBacks != setBacks {
			return nil, true
		}
		o.working = false
		return nil, false
	}
	if o.setBacks == setBacks {
		o.cursor = pending[len(pending)-1].Seq
	}
	for _, message := range pending {
		switch {
		case o.tracked[message.ID] != nil:
		case message.Damaged:
			lost := track(&message)
			o.trackLocked(lost) // it is being settled
			damaged = append(damaged, lost)
		case o.isHeld(message.Chat, message.Seq):
			if o.holds[message.Chat].mustTell(&message) {
				heldBack = append(heldBack, message)
			}
		case o.waitsForDraft(&message):
		case !message.Draft:
			batch = append(batch, message)
		case o.setBacks == setBacks: // else it may have been completed since it was loaded, and is loaded again
			o.complete(message)
		}
	}
	return batch, true
}

// send encrypts and writes messages. What cannot be sent now makes its chat wait; what never can be fails.
func (o *outbox) send(connection *connection, setBacks uint64, batch []Outgoing) {
	chats := distinctChats(batch)
	devices, problems, err := connection.devicesOf(o.run.ctx, chats)
	if err != nil {
		o.requestFailed(connection, setBacks, batch, err)
		return
	}
	var ready []Outgoing
	for _, message := range batch {
		if problem := problems[message.Chat]; problem != nil {
			o.refused(message, problem)
		} else {
			ready = append(ready, message)
		}
	}
	if len(ready) == 0 {
		return
	}
	result, err := o.encrypt(connection, ready, devices)
	var ofStore *storeError
	if errors.As(err, &ofStore) {
		o.run.log.Error().Err(err).Msg("Failed to encrypt messages")
		o.pauseSending()
		return
	} else if err != nil {
		o.requestFailed(connection, setBacks, ready, err)
		return
	}
	for device, reason := range result.refused {
		o.run.log.Warn().Err(reason).Stringer("device", AddressOf(device)).Msg("Prekeys of the device cannot be used")
	}
	o.run.reportIdentities(result.changed)
	var free []Outgoing
	var ciphertexts [][]encrypted
	for i, message := range ready {
		if result.held[message.Chat] {
			o.holdBack(&message)
		} else {
			free, ciphertexts = append(free, message), append(ciphertexts, result.messages[i])
		}
	}
	o.write(connection, setBacks, free, ciphertexts)
}

// encrypt makes the ciphertexts for all devices, after fetching the prekeys of those that have no session.
func (o *outbox) encrypt(connection *connection, messages []Outgoing, devices map[types.JID][]types.JID) (encryption, error) {
	sessions := o.run.client.sessions
	var all []types.JID
	for _, list := range distinctChats(messages) {
		all = append(all, devices[list]...)
	}
	missing, err := sessions.missing(o.run.handling, all)
	if err != nil {
		return encryption{}, err
	}
	var bundles map[types.JID]*preKeyBundle
	if len(missing) > 0 {
		if bundles, err = connection.fetchBundles(o.run.ctx, missing); err != nil {
			return encryption{}, err
		}
	}
	plain := make([]plainMessage, len(messages))
	for i, message := range messages {
		plain[i] = plainMessage{plaintext: message.Plaintext, devices: devices[message.Chat]}
	}
	return sessions.encrypt(o.run.handling, plain, bundles, false)
}

// write sends what was encrypted. Messages are tracked before they are written, since the ack may come at once.
func (o *outbox) write(connection *connection, setBacks uint64, messages []Outgoing, ciphertexts [][]encrypted) {
	sent, nodes := make([]*tracked, 0, len(messages)), make([]waBinary.Node, 0, len(messages))
	for i, message := range messages {
		if len(ciphertexts[i]) == 0 {
			o.refused(message, ErrNoKeys)
		} else {
			next := track(&message)
			next.devices = deviceNumbers(ciphertexts[i])
			sent = append(sent, next)
			nodes = append(nodes, messageNode(&message, kindOf(message.Plaintext), ciphertexts[i]))
		}
	}
	if len(sent) == 0 || !o.track(connection, setBacks, sent) {
		return
	}
	for _, message := range sent {
		o.run.log.Debug().Str("message_id", message.id).Int("devices", len(message.devices)).Msg("A message goes over the chat channel")
	}
	err := connection.write(nodes...)
	if !errors.Is(err, wire.ErrTooLarge) && !errors.Is(err, wire.ErrEncode) {
		return // written, or the connection is closed and all of it is sent again on the next
	}
	for i, node := range nodes { // one of them is at fault
		if err = connection.write(node); errors.Is(err, wire.ErrTooLarge) || errors.Is(err, wire.ErrEncode) {
			if tracked := o.untrack(sent[i].id, connection); tracked != nil {
				o.finish(tracked, fmt.Errorf("%w: %w", ErrTooLarge, err))
			}
		}
	}
}

func track(message *Outgoing) *tracked {
	return &tracked{
		id: message.ID, chat: message.Chat, ref: message.Ref, seq: message.Seq, created: message.Created, kind: kindName(message),
	}
}

func deviceNumbers(ciphertexts []encrypted) []uint16 {
	numbers := make([]uint16, len(ciphertexts))
	for i, ciphertext := range ciphertexts {
		numbers[i] = ciphertext.device.Device
	}
	return numbers
}

// track notes that messages are on the wire. It returns false if they must not be sent, since something has changed while
// they were encrypted: the connection, or a message before them that has to be sent first. They are looked at again then.
func (o *outbox) track(connection *connection, setBacks uint64, messages []*tracked) bool {
	now := o.run.client.options.Clock.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	stale := o.setBacks != setBacks || o.run.connected() != connection
	for _, message := range messages {
		stale = stale || o.isHeld(message.chat, message.seq)
	}
	if stale {
		o.setBack(messages[0].seq - 1)
		return false
	}
	for _, message := range messages {
		message.connection, message.written = connection, now
		o.trackLocked(message)
	}
	o.unacked += len(messages)
	o.troubles.failures = 0
	return true
}

func (o *outbox) trackLocked(message *tracked) {
	if o.tracked == nil {
		o.tracked = make(map[types.MessageID]*tracked)
	}
	o.tracked[message.id] = message
}

// requestFailed handles messages for whose contacts the gatekeeper did not give devices or keys. If it refuses the whole request, that
// may be because of one of the contacts: they are asked for one by one then, and of one alone it is about their messages.
func (o *outbox) requestFailed(connection *connection, setBacks uint64, messages []Outgoing, reason error) {
	chats := distinctChats(messages)
	switch {
	case !isOurs(reason):
		o.postpone(messages, reason)
	case len(chats) == 1:
		for _, message := range messages {
			o.refused(message, fmt.Errorf("%w: %w", errRequestRefused, reason))
		}
	default:
		for _, chat := range chats {
			o.send(connection, setBacks, slices.DeleteFunc(slices.Clone(messages), func(m Outgoing) bool { return m.Chat != chat }))
		}
	}
}

// postpone makes the chats of messages wait because the gatekeeper did not answer or the connection ended.
func (o *outbox) postpone(messages []Outgoing, reason error) {
	o.run.observe(IncidentPostponed)
	o.run.log.Warn().Err(reason).Int("messages", len(messages)).Msg("Failed to send, trying again")
	for _, message := range messages {
		o.run.log.Debug().Err(reason).Str("message_id", message.ID).Msg("A message could not be sent for now")
		o.holdChat(message.Chat, "", message.Seq)
	}
}

// refused handles a message that cannot be sent for a reason of its own.
func (o *outbox) refused(message Outgoing, reason error) {
	o.mu.Lock()
	held := o.isHeld(message.Chat, message.Seq)
	o.mu.Unlock()
	if held {
		return // its turn comes after the one before it
	}
	o.refuse(track(&message), reason)
}

// refuse fails a message that was refused for good and makes its chat wait otherwise, until it was tried often enough.
func (o *outbox) refuse(message *tracked, reason error) {
	final, permanent := verdict(reason)
	if !permanent {
		tries := o.holdChat(message.chat, message.id, message.seq)
		o.run.observe(IncidentPostponed)
		o.run.log.Warn().Err(reason).Str("message_id", message.id).Int("tries", tries).Msg("Message refused for now")
		if tries < maxTries || !isOfMessage(reason) {
			return
		}
	}
	o.mu.Lock()
	o.trackLocked(message) // it is being settled
	o.mu.Unlock()
	o.finish(message, final)
}

func distinctChats(messages []Outgoing) []types.JID {
	var chats []types.JID
	seen := make(map[types.JID]bool, 1)
	for _, message := range messages {
		if !seen[message.Chat] {
			seen[message.Chat] = true
			chats = append(chats, message.Chat)
		}
	}
	return chats
}

// reportIdentities tells about devices that have a new identity key, each before what comes next in its chat.
func (r *run) reportIdentities(devices []types.JID) {
	for _, device := range devices {
		event := &IdentityChanged{Contact: device, Timestamp: r.client.options.Clock.Now()}
		r.queues.add(device.ToNonAD(), job{run: func() {
			if r.deliver(event) {
				r.insist("storing who knows of an identity key", func(ctx context.Context) error {
					return r.client.options.Store.SetIdentityTold(ctx, AddressOf(device), true)
				})
			}
		}})
	}
}

// reportUntold tells about the identity keys that the run before did not come to tell about.
func (r *run) reportUntold(ctx context.Context) error {
	untold, err := r.client.options.Store.UntoldIdentities(ctx)
	if err != nil {
		return fmt.Errorf("failed to load untold identity keys: %w", err)
	}
	devices := make([]types.JID, len(untold))
	for i, address := range untold {
		devices[i] = address.JID()
	}
	r.reportIdentities(devices)
	return nil
}

package homeserver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"
)

// transactionIDs makes the transaction ids of messages and reactions: the same for the same one, so that a homeserver that took
// it before we could note that answers with the event that it has, and makes no second one. Synapse and Dendrite
// remember transaction ids for half an hour at least, if they answered. See sendOnce for when they did not.
//
// Edits and reactions are told apart by what did them, see [WithCause], since a gatekeeper's times are full seconds.
//
// They are a MAC, because a plain hash of an edit's target and time could be guessed by the homeserver.
type transactionIDs struct{ key [32]byte }

type causeKey struct{}

// WithCause returns a context for what a message with the given id, which is shown nowhere, does to an earlier message.
func WithCause(ctx context.Context, message string) context.Context {
	return context.WithValue(ctx, causeKey{}, message)
}

// of returns "" for what has no identity, such as an answer of the bot: then mautrix makes a random one.
func (t transactionIDs) of(ctx context.Context, room id.RoomID, sender id.UserID, extra *bridgev2.MatrixSendExtra) string {
	cause, _ := ctx.Value(causeKey{}).(string)
	switch {
	case extra == nil:
		return ""
	case extra.ReactionMeta != nil && extra.ReactionMeta.MessageID != "":
		// The sender may take a reaction back and give it again.
		reaction := extra.ReactionMeta
		return t.mac(string(room), string(sender), string(reaction.Room.Receiver), string(reaction.MessageID), string(reaction.MessagePartID),
			"reaction", string(reaction.EmojiID), reaction.Emoji, timeField(extra.Timestamp), cause)
	case extra.MessageMeta == nil || extra.MessageMeta.ID == "":
		return ""
	}
	message := extra.MessageMeta
	fields := []string{string(room), string(sender), string(message.Room.Receiver), string(message.ID), string(message.PartID)}
	if message.MXID != "" {
		// The message has an event already, so this is an edit of it.
		fields = append(fields, string(message.MXID), timeField(extra.Timestamp), cause)
	}
	return t.mac(fields...)
}

func timeField(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// mac is over the fields and their lengths. The sender is always one of them: Dendrite keeps one cache for all users of
// an appservice.
func (t transactionIDs) mac(fields ...string) string {
	mac := hmac.New(sha256.New, t.key[:])
	for _, field := range fields {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		mac.Write(length[:])
		mac.Write([]byte(field))
	}
	return "postern_" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:24])
}

package homeserver

import (
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
// They are a MAC, because a plain hash of an edit's target and time could be guessed by the homeserver.
type transactionIDs struct{ key [32]byte }

// of returns "" for what has no identity, such as an answer of the bot: then mautrix makes a random one.
func (t transactionIDs) of(room id.RoomID, sender id.UserID, extra *bridgev2.MatrixSendExtra) string {
	switch {
	case extra == nil:
		return ""
	case extra.ReactionMeta != nil && extra.ReactionMeta.MessageID != "":
		// The sender may take a reaction back and give it again. Its time tells one from the other.
		reaction := extra.ReactionMeta
		return t.mac(string(room), string(sender), string(reaction.Room.Receiver), string(reaction.MessageID), string(reaction.MessagePartID),
			"reaction", string(reaction.EmojiID), reaction.Emoji, timeField(extra.Timestamp))
	case extra.MessageMeta == nil || extra.MessageMeta.ID == "":
		return ""
	}
	message := extra.MessageMeta
	fields := []string{string(room), string(sender), string(message.Room.Receiver), string(message.ID), string(message.PartID)}
	if message.MXID != "" {
		// The message has an event already, so this is an edit of it. Its time tells one edit from another.
		fields = append(fields, string(message.MXID), timeField(extra.Timestamp))
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

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

// transactionIDs makes the transaction ids of messages: the same for the same message, so that a homeserver that took
// it before we could note that answers with the event that it has, and makes no second one. Synapse and Dendrite
// remember transaction ids for half an hour at least, if they answered. See sendOnce for when they did not.
//
// They are a MAC, because a plain hash of an edit's target and time could be guessed by the homeserver.
type transactionIDs struct{ key [32]byte }

// of returns "" for what has no identity, such as an answer of the bot: then mautrix makes a random one.
func (t transactionIDs) of(room id.RoomID, sender id.UserID, extra *bridgev2.MatrixSendExtra) string {
	if extra == nil || extra.MessageMeta == nil || extra.MessageMeta.ID == "" {
		return ""
	}
	message := extra.MessageMeta
	mac := hmac.New(sha256.New, t.key[:])
	write := func(field string) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		mac.Write(length[:])
		mac.Write([]byte(field))
	}
	write(string(room))
	write(string(sender)) // Dendrite keeps one cache for all users of an appservice
	write(string(message.Room.Receiver))
	write(string(message.ID))
	write(string(message.PartID))
	if message.MXID != "" {
		// The message has an event already, so this is an edit of it. Its time tells one edit from another.
		write(string(message.MXID))
		write(extra.Timestamp.UTC().Format(time.RFC3339Nano))
	}
	return "postern_" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:24])
}

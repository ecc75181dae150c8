package connector

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/id"
)

// Bridge is bridgev2.
func (n *Network) Bridge() *bridgev2.Bridge { return n.bridge }

// NoteExpiry has a message disappear at the end of the chat's timer.
func (n *Network) NoteExpiry(chat *bridgev2.Portal, message *mxdatabase.Message) {
	n.expiry.note(context.Background(), message, chat)
}

// DeleteDue deletes the messages whose time is over, with redact in place of the homeserver.
func (n *Network) DeleteDue(redact func(context.Context, id.RoomID, id.EventID) error) (time.Duration, error) {
	expiry := *n.expiry
	expiry.redact = redact
	return expiry.deleteDue(context.Background())
}

// ParseReference reads what interop carries, and writes it again.
func ParseReference(text string) (kind string, event id.EventID, again string) {
	ref := parseReference(text)
	return string(ref.kind), ref.event, ref.String()
}

var (
	TextFileTrouble = textFileTrouble
	TextRetryFailed = textRetryFailed
	ExplainStatus   = explainStatus
	FileTrouble     = fileTrouble
	HopelessIfFile  = hopelessIfFile
	ErrNotWaiting   = errNotWaiting
)

// Package records reads what bridgev2's tables hold of one user, and erases contacts whom nobody writes to any more. It is
// the one place that knows these tables; all else goes through bridgev2. It needs no running bridge.
package records

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"
)

// Records are the tables of one bridge. Its methods are safe for concurrent use, beside a running daemon, too.
type Records struct {
	db     *dbutil.Database
	bridge networkid.BridgeID
}

// New reads the tables in db. The caller keeps ownership of db.
func New(db *dbutil.Database, bridge networkid.BridgeID) Records { return Records{db, bridge} }

// Chat is a chat of a login, with a room or without.
type Chat struct {
	ID          networkid.PortalID `json:"contact"`
	Name        string             `json:"name,omitempty"`
	Identifiers []string           `json:"identifiers,omitempty"`
	Picture     string             `json:"picture,omitempty"`
	Room        id.RoomID          `json:"room,omitempty"`
	// Timer is how long messages stay, in seconds; 0 is for ever.
	Timer float64 `json:"disappear_after_seconds,omitempty"`
	// LastRead is up to when the user read it.
	LastRead  *time.Time `json:"last_read,omitempty"`
	Messages  []Message  `json:"messages"`
	Reactions []Reaction `json:"reactions"`
}

// Message is a part of a message that is, or was, in a room. Nobody stores what it says.
type Message struct {
	ID       networkid.MessageID `json:"id"`
	Part     networkid.PartID    `json:"part,omitempty"`
	Event    id.EventID          `json:"event"`
	Sender   networkid.UserID    `json:"sender"`
	Time     time.Time           `json:"time"`
	Edits    int                 `json:"edits,omitempty"`
	ReplyTo  networkid.MessageID `json:"reply_to,omitempty"`
	Metadata json.RawMessage     `json:"notes,omitempty"`
	// Disappears is when it is deleted, if it is.
	Disappears *time.Time `json:"disappears,omitempty"`
}

// Reaction is a reaction that is in a room.
type Reaction struct {
	Message networkid.MessageID `json:"message"`
	Event   id.EventID          `json:"event"`
	Sender  networkid.UserID    `json:"sender"`
	Emoji   string              `json:"emoji"`
	Time    time.Time           `json:"time"`
}

// Login is a login of a user.
type Login struct {
	ID    networkid.UserLoginID `json:"login"`
	Name  string                `json:"name"`
	Space id.RoomID             `json:"space,omitempty"`
}

// ManagementRoom returns the user's room with the bot, "" if there is none or no such user.
func (r Records) ManagementRoom(ctx context.Context, user id.UserID) (id.RoomID, error) {
	var room sql.NullString
	err := r.db.QueryRow(ctx, `SELECT management_room FROM "user" WHERE bridge_id = $1 AND mxid = $2`, r.bridge, user).Scan(&room)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("failed to look for a user's room with the bot: %w", err)
	}
	return id.RoomID(room.String), nil
}

// Logins returns the logins of a user.
func (r Records) Logins(ctx context.Context, user id.UserID) ([]Login, error) {
	return all(ctx, r.db, "list a user's logins", func(row dbutil.Scannable) (login Login, err error) {
		return login, row.Scan(&login.ID, &login.Name, &login.Space)
	}, `SELECT id, remote_name, COALESCE(space_room, '') FROM user_login WHERE bridge_id = $1 AND user_mxid = $2 ORDER BY id`, r.bridge, user)
}

// ChatKeys returns what names the chats of a login.
func (r Records) ChatKeys(ctx context.Context, login networkid.UserLoginID) ([]networkid.PortalKey, error) {
	return all(ctx, r.db, "list a login's chats", func(row dbutil.Scannable) (networkid.PortalKey, error) {
		key := networkid.PortalKey{Receiver: login}
		return key, row.Scan(&key.ID)
	}, "SELECT id FROM portal WHERE bridge_id = $1 AND receiver = $2 ORDER BY id", r.bridge, login)
}

// Chats returns all that is stored of a login's chats. It is in memory as a whole: about 300 bytes a message.
func (r Records) Chats(ctx context.Context, login networkid.UserLoginID) ([]*Chat, error) {
	chats, err := all(ctx, r.db, "list a login's chats", scanChat, `
		SELECT portal.id, COALESCE(portal.mxid, ''), COALESCE(ghost.name, portal.name), COALESCE(ghost.avatar_mxc, ''),
			COALESCE(CAST(ghost.identifiers AS TEXT), '[]'), COALESCE(portal.disappear_timer, 0), user_portal.last_read
		FROM portal
		LEFT JOIN ghost ON ghost.bridge_id = portal.bridge_id AND ghost.id = portal.id
		LEFT JOIN user_portal ON user_portal.bridge_id = portal.bridge_id AND user_portal.portal_id = portal.id
			AND user_portal.portal_receiver = portal.receiver AND user_portal.login_id = portal.receiver
		WHERE portal.bridge_id = $1 AND portal.receiver = $2 ORDER BY portal.id`, r.bridge, login)
	if err != nil {
		return nil, err
	}
	for _, chat := range chats {
		if chat.Messages, err = r.messages(ctx, login, chat.ID); err != nil {
			return nil, err
		}
		if chat.Reactions, err = r.reactions(ctx, login, chat.ID); err != nil {
			return nil, err
		}
	}
	return chats, nil
}

func scanChat(row dbutil.Scannable) (*Chat, error) {
	chat := &Chat{}
	var identifiers string
	var timer int64
	var lastRead sql.NullInt64
	if err := row.Scan(&chat.ID, &chat.Room, &chat.Name, &chat.Picture, &identifiers, &timer, &lastRead); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(identifiers), &chat.Identifiers); err != nil {
		return nil, fmt.Errorf("failed to parse a contact's identifiers: %w", err)
	}
	chat.Timer = time.Duration(timer).Seconds()
	chat.LastRead = timeOf(lastRead)
	return chat, nil
}

func (r Records) messages(ctx context.Context, login networkid.UserLoginID, chat networkid.PortalID) ([]Message, error) {
	return all(ctx, r.db, "list a chat's messages", scanMessage, `
		SELECT message.id, part_id, message.mxid, sender_id, message.timestamp, edit_count, COALESCE(reply_to_id, ''),
			CAST(metadata AS TEXT), disappear_at
		FROM message LEFT JOIN disappearing_message ON disappearing_message.bridge_id = message.bridge_id
			AND disappearing_message.mxid = message.mxid
		WHERE message.bridge_id = $1 AND room_id = $2 AND room_receiver = $3 ORDER BY message.timestamp, message.id, part_id`,
		r.bridge, chat, login)
}

func scanMessage(row dbutil.Scannable) (message Message, err error) {
	var at int64
	var notes string
	var disappears sql.NullInt64
	err = row.Scan(&message.ID, &message.Part, &message.Event, &message.Sender, &at, &message.Edits, &message.ReplyTo, &notes, &disappears)
	message.Time = time.Unix(0, at).UTC()
	if notes != "{}" && json.Valid([]byte(notes)) {
		message.Metadata = json.RawMessage(notes)
	}
	message.Disappears = timeOf(disappears)
	return message, err
}

func (r Records) reactions(ctx context.Context, login networkid.UserLoginID, chat networkid.PortalID) ([]Reaction, error) {
	return all(ctx, r.db, "list a chat's reactions", func(row dbutil.Scannable) (reaction Reaction, err error) {
		var at int64
		err = row.Scan(&reaction.Message, &reaction.Event, &reaction.Sender, &reaction.Emoji, &at)
		reaction.Time = time.Unix(0, at).UTC()
		return reaction, err
	}, `SELECT message_id, mxid, sender_id, COALESCE(NULLIF(emoji, ''), emoji_id), timestamp FROM reaction
		WHERE bridge_id = $1 AND room_id = $2 AND room_receiver = $3 ORDER BY timestamp, mxid`, r.bridge, chat, login)
}

// Disappearing returns the messages of a room that are to be deleted later.
func (r Records) Disappearing(ctx context.Context, room id.RoomID) ([]id.EventID, error) {
	return all(ctx, r.db, "list messages that disappear", dbutil.ScanSingleColumn[id.EventID],
		"SELECT mxid FROM disappearing_message WHERE bridge_id = $1 AND mx_room = $2 ORDER BY timestamp, mxid", r.bridge, room)
}

// ChatsWith returns how many chats there are with a contact, of all users.
func (r Records) ChatsWith(ctx context.Context, contact networkid.UserID) (count int, err error) {
	err = r.db.QueryRow(ctx, "SELECT COUNT(*) FROM portal WHERE bridge_id = $1 AND (id = $2 OR other_user_id = $2)", r.bridge, contact).Scan(&count)
	if err != nil {
		return 0, fmt.Errorf("failed to count the chats with a contact: %w", err)
	}
	return count, nil
}

// UnusedContacts returns the contacts whom nobody has a chat with, and who sent nothing that is known. It reads all messages.
func (r Records) UnusedContacts(ctx context.Context) ([]networkid.UserID, error) {
	return all(ctx, r.db, "look for contacts whom nobody writes to", dbutil.ScanSingleColumn[networkid.UserID], `
		SELECT id FROM ghost WHERE bridge_id = $1 AND id NOT IN (
			SELECT sender_id FROM message WHERE bridge_id = $1
			UNION SELECT sender_id FROM reaction WHERE bridge_id = $1
			UNION SELECT id FROM portal WHERE bridge_id = $1
			UNION SELECT other_user_id FROM portal WHERE bridge_id = $1 AND other_user_id IS NOT NULL
		)`, r.bridge)
}

// EraseContact deletes a contact, and with it all that the contact sent. It must not be called while bridgev2 runs, which keeps
// contacts in memory and relies on their rows.
func (r Records) EraseContact(ctx context.Context, contact networkid.UserID) error {
	if _, err := r.db.Exec(ctx, "DELETE FROM ghost WHERE bridge_id = $1 AND id = $2", r.bridge, contact); err != nil {
		return fmt.Errorf("failed to erase a contact: %w", err)
	}
	return nil
}

func timeOf(nanoseconds sql.NullInt64) *time.Time {
	if !nanoseconds.Valid || nanoseconds.Int64 == 0 {
		return nil
	}
	at := time.Unix(0, nanoseconds.Int64).UTC()
	return &at
}

func all[T any](
	ctx context.Context, db *dbutil.Database, what string, scan func(dbutil.Scannable) (T, error), query string, args ...any,
) ([]T, error) {
	rows, err := db.Query(ctx, query, args...)
	list, err := dbutil.NewRowIterWithError(rows, scan, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("failed to %s: %w", what, err)
	}
	return list, nil
}

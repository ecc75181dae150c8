package portal

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.mau.fi/util/variationselector"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
)

// ActionKind says what an [Action] does.
type ActionKind string

const (
	ActionReact  ActionKind = "reaction"
	ActionEdit   ActionKind = "edit"
	ActionDelete ActionKind = "delete"
	ActionTimer  ActionKind = "timer" // of disappearing messages
)

var (
	// ErrForeignTarget: a contact tries to edit or delete what they did not write. It wraps bridgev2.ErrIgnoringRemoteEvent.
	ErrForeignTarget = fmt.Errorf("%w: the message is not the sender's own", bridgev2.ErrIgnoringRemoteEvent)
	// ErrInvalidAction: what a message does to another cannot be read. It wraps bridgev2.ErrIgnoringRemoteEvent.
	ErrInvalidAction = fmt.Errorf("%w: not a proper action", bridgev2.ErrIgnoringRemoteEvent)
)

// maxEmoji is how long a reaction may be, in bytes. The longest emoji, a family, has 41.
const maxEmoji = 64

// Action is what a contact's message does to an earlier message, or to the chat.
type Action struct {
	Kind ActionKind
	// Target is the earlier message, and Direction who wrote that. Both are "" for a timer.
	Target    types.MessageID
	Direction Direction
	// Emoji is that of a reaction; "" takes the one before back. A contact has one reaction to a message at most.
	Emoji string
	// Edited is the message as it is now, never nil for an edit.
	Edited *waE2E.Message
	// Timer is how long messages are kept from now on; 0 is for ever.
	Timer time.Duration
	// At is when the contact did it, by their clock; zero if they do not say. Use the time of the message then.
	At time.Time
}

// ActionOf returns what a contact's message does to an earlier message or to the chat; nil if it is a message of its own,
// for [ToMatrix]. The errors are [ErrForeignTarget] and [ErrInvalidAction].
func ActionOf(message *waE2E.Message) (*Action, error) {
	message = unwrap(message)
	if reaction := message.ReactionMessage; reaction != nil {
		return reactionAction(reaction)
	}
	protocol := message.ProtocolMessage
	if protocol == nil || protocol.Type == nil {
		return nil, nil
	}
	switch protocol.GetType() {
	case waE2E.ProtocolMessage_EPHEMERAL_SETTING:
		return &Action{
			Kind:  ActionTimer,
			Timer: time.Duration(protocol.GetEphemeralExpiration()) * time.Second,
			At:    unixMilli(protocol.GetTimestampMS()),
		}, nil
	case waE2E.ProtocolMessage_REVOKE:
		return ownAction(ActionDelete, protocol)
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		if protocol.EditedMessage == nil {
			return nil, fmt.Errorf("edit without content: %w", ErrInvalidAction)
		}
		return ownAction(ActionEdit, protocol)
	default:
		return nil, nil
	}
}

// ownAction is for what people may do to their own messages only.
func ownAction(kind ActionKind, protocol *waE2E.ProtocolMessage) (*Action, error) {
	target, direction, err := actionTarget(protocol.GetKey())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	if direction != FromContact {
		return nil, fmt.Errorf("%s: %w", kind, ErrForeignTarget)
	}
	action := &Action{Kind: kind, Target: target, Direction: direction, At: unixMilli(protocol.GetTimestampMS())}
	if kind == ActionEdit {
		action.Edited = protocol.GetEditedMessage()
	}
	return action, nil
}

func reactionAction(reaction *waE2E.ReactionMessage) (*Action, error) {
	target, direction, err := actionTarget(reaction.GetKey())
	if err != nil {
		return nil, fmt.Errorf("reaction: %w", err)
	}
	emoji := strings.TrimSpace(reaction.GetText())
	if err = checkEmoji(emoji); err != nil {
		return nil, fmt.Errorf("reaction: %w: %w", ErrInvalidAction, err)
	}
	return &Action{
		Kind: ActionReact, Target: target, Direction: direction,
		Emoji: variationselector.Add(emoji), // as the Matrix specification wants it, so that clients count equal ones together
		At:    unixMilli(reaction.GetSenderTimestampMS()),
	}, nil
}

// actionTarget reads a key. It is written from the sender's point of view: their own messages are "from me".
func actionTarget(key *waCommon.MessageKey) (types.MessageID, Direction, error) {
	target := key.GetID()
	if len(target) > MaxMessageIDLength || !messageIDForm.MatchString(target) {
		return "", "", fmt.Errorf("target of %d bytes: %w", len(target), ErrInvalidAction)
	}
	if key.GetFromMe() {
		return target, FromContact, nil
	}
	return target, FromUser, nil
}

// checkEmoji accepts what is short enough for an emoji and can be shown. "" is one too.
func checkEmoji(emoji string) error {
	if len(emoji) > maxEmoji || !utf8.ValidString(emoji) {
		return fmt.Errorf("%w: %d bytes", ErrInvalidEmoji, len(emoji))
	}
	if strings.ContainsFunc(emoji, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r)
	}) {
		return fmt.Errorf("%w: control characters", ErrInvalidEmoji)
	}
	return nil
}

// unixMilli returns the zero time for what is no time.
func unixMilli(milliseconds int64) time.Time {
	const end = 253_402_300_800_000 // the year 10000, which JSON cannot write
	if milliseconds <= 0 || milliseconds >= end {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds)
}

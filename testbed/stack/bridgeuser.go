package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
)

// ErrNoLink is returned when an answer of the bot does not lead to a chat.
var ErrNoLink = errors.New("the bot's answer has no link to a chat")

// BridgeUser is a Matrix user with a chat with the bridge's bot.
type BridgeUser struct {
	*matrixuser.User
	// Management is the chat with the bot. It is encrypted, as Element makes it.
	Management id.RoomID
	// Address is where WhatsApp contacts write to; empty before Enlist.
	Address types.JID

	stack *Stack
}

// NewBridgeUser registers a Matrix user who begins a chat with the bot.
func (s *Stack) NewBridgeUser(ctx context.Context, localpart string) (*BridgeUser, error) {
	user, err := s.NewUser(ctx, localpart)
	if err != nil {
		return nil, err
	}
	room, err := user.StartDirectChat(ctx, s.Bot())
	if err != nil {
		return nil, err
	}
	return &BridgeUser{User: user, Management: room, stack: s}, nil
}

// Command writes to the bot and returns its first answer that contains the words.
func (u *BridgeUser) Command(ctx context.Context, text, words string) (*event.Event, error) {
	mark := u.Mark()
	if _, err := u.SendText(ctx, u.Management, text); err != nil {
		return nil, err
	}
	return u.WaitAfter(ctx, mark, "answer to "+text, matrixuser.MessageIn(u.Management, u.stack.Bot(), words))
}

// Enlist agrees to what the bot explains.
func (u *BridgeUser) Enlist(ctx context.Context) error {
	if _, err := u.Command(ctx, "login "+GatekeeperID, "if you agree"); err != nil {
		return err
	}
	if _, err := u.Command(ctx, "yes", "You are enlisted"); err != nil {
		return err
	}
	var err error
	u.Address, err = u.stack.Gatekeeper.AliasOf(ctx, u.ID().String())
	return err
}

// StartChat begins a chat by phone number and returns its room, in which the user can write.
func (u *BridgeUser) StartChat(ctx context.Context, phone string) (id.RoomID, error) {
	answer, err := u.Command(ctx, "start-chat "+phone, "chat with")
	if err != nil {
		return "", err
	}
	room, err := chatIn(answer)
	if err != nil {
		return "", err
	}
	return room, u.WaitInChat(ctx, room)
}

// WaitInChat waits until the user was joined to the chat, which nobody has to do by hand, and the user's client knows
// that it is encrypted.
func (u *BridgeUser) WaitInChat(ctx context.Context, room id.RoomID) error {
	if _, err := u.Wait(ctx, "join", matrixuser.MembershipOf(room, u.ID(), event.MembershipJoin)); err != nil {
		return err
	}
	_, err := u.Wait(ctx, "encryption", matrixuser.EventIn(room, "", event.StateEncryption))
	return err
}

var roomLink = regexp.MustCompile(`matrix\.to/#/((?:!|%21)[^"?)]+)`)

// chatIn finds the link to a room in an answer.
func chatIn(answer *event.Event) (id.RoomID, error) {
	html := answer.Content.AsMessage().FormattedBody
	found := roomLink.FindStringSubmatch(html)
	if found == nil {
		return "", fmt.Errorf("%w: %s", ErrNoLink, html)
	}
	room, err := url.PathUnescape(found[1])
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoLink, err)
	}
	return id.RoomID(room), nil
}

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

	"postern/testbed/jsuser"
	"postern/testbed/matrixuser"
	"postern/testbed/record"
)

// ErrNoLink is returned when an answer of the bot does not lead to a chat.
var ErrNoLink = errors.New("the bot's answer has no link to a chat")

// client is a Matrix user's app, of either implementation.
type client interface {
	ID() id.UserID
	Mark() record.Mark
	SendText(ctx context.Context, room id.RoomID, text string) (id.EventID, error)
	StartDirectChat(ctx context.Context, with id.UserID) (id.RoomID, error)
	WaitAfter(ctx context.Context, mark record.Mark, what string, match func(*event.Event) bool) (*event.Event, error)
}

var (
	_ client = (*matrixuser.User)(nil)
	_ client = (*jsuser.User)(nil)
)

// BridgeUser is a Matrix user with a chat with the bridge's bot.
type BridgeUser struct {
	*matrixuser.User
	BotChat
}

// ElementUser is a BridgeUser whose app is made of what Element is made of.
type ElementUser struct {
	*jsuser.User
	BotChat
}

// BotChat is what a user does in a chat with the bridge's bot.
type BotChat struct {
	// Management is the chat. It is encrypted, as Element makes it.
	Management id.RoomID
	// Address is where WhatsApp contacts write to; empty before Enlist.
	Address types.JID

	client client
	stack  *Stack
}

// NewBridgeUser registers a Matrix user who begins a chat with the bot.
func (s *Stack) NewBridgeUser(ctx context.Context, localpart string) (*BridgeUser, error) {
	user, err := s.NewUser(ctx, localpart)
	if err != nil {
		return nil, err
	}
	chat, err := s.newBotChat(ctx, user)
	if err != nil {
		return nil, err
	}
	return &BridgeUser{User: user, BotChat: chat}, nil
}

// NewElementUser is NewBridgeUser for the other app. With excludeInsecure it decrypts nothing from devices that are not signed.
func (s *Stack) NewElementUser(ctx context.Context, localpart string, excludeInsecure bool) (*ElementUser, error) {
	user, err := s.newJSUser(ctx, localpart, excludeInsecure)
	if err != nil {
		return nil, err
	}
	chat, err := s.newBotChat(ctx, user)
	if err != nil {
		return nil, err
	}
	return &ElementUser{User: user, BotChat: chat}, nil
}

func (s *Stack) newBotChat(ctx context.Context, user client) (BotChat, error) {
	room, err := user.StartDirectChat(ctx, s.Bot())
	return BotChat{Management: room, client: user, stack: s}, err
}

// Command writes to the bot and returns its first answer that contains the words.
func (c *BotChat) Command(ctx context.Context, text, words string) (*event.Event, error) {
	mark := c.client.Mark()
	if _, err := c.client.SendText(ctx, c.Management, text); err != nil {
		return nil, err
	}
	return c.client.WaitAfter(ctx, mark, "answer to "+text, matrixuser.MessageIn(c.Management, c.stack.Bot(), words))
}

// Enlist agrees to what the bot explains.
func (c *BotChat) Enlist(ctx context.Context) error {
	if _, err := c.Command(ctx, "login "+GatekeeperID, "if you agree"); err != nil {
		return err
	}
	if _, err := c.Command(ctx, "yes", "You are enlisted"); err != nil {
		return err
	}
	var err error
	c.Address, err = c.stack.Gatekeeper.AliasOf(ctx, c.client.ID().String())
	return err
}

// StartChat begins a chat by phone number and returns its room, in which the user can write.
func (c *BotChat) StartChat(ctx context.Context, phone string) (id.RoomID, error) {
	answer, err := c.Command(ctx, "start-chat "+phone, "chat with")
	if err != nil {
		return "", err
	}
	room, err := chatIn(answer)
	if err != nil {
		return "", err
	}
	return room, c.WaitInChat(ctx, room)
}

// WaitInChat waits until the user was joined to the chat, which nobody has to do by hand, and the user's client knows
// that it is encrypted.
func (c *BotChat) WaitInChat(ctx context.Context, room id.RoomID) error {
	if _, err := c.client.WaitAfter(ctx, 0, "join", matrixuser.MembershipOf(room, c.client.ID(), event.MembershipJoin)); err != nil {
		return err
	}
	_, err := c.client.WaitAfter(ctx, 0, "encryption", matrixuser.EventIn(room, "", event.StateEncryption))
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

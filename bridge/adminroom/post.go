package adminroom

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// errNoAdmins: the config names neither a room for the admins nor any admins.
var errNoAdmins = errors.New("the bridge has nobody to tell")

// Post writes to the admins: into their room, or to each of them in their own room with the bot if there is no room of theirs
// that can be used.
type Post struct {
	Name   string // of the room, an id or an alias; "" for none
	Admins []string
	Matrix *homeserver.Connector
	// Tell writes into an admin's own room with the bot.
	Tell func(ctx context.Context, admin id.UserID, content *event.MessageEventContent) error

	lock   sync.Mutex
	room   id.RoomID // "" until it was found
	warned bool
}

// Check looks whether the room can be used, and says in the log what has to be done about it.
func (p *Post) Check(ctx context.Context) id.RoomID {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.Name == "" || p.room != "" {
		return p.room
	}
	room, err := p.Matrix.FindRoom(ctx, p.Name)
	if err == nil {
		p.room = room
		return room
	}
	if !p.warned {
		p.warned = true
		zerolog.Ctx(ctx).Warn().Err(err).Str("admin_room", p.Name).Msg(textUnusable(err))
	}
	return ""
}

func textUnusable(err error) string {
	switch {
	case errors.Is(err, homeserver.ErrNotInRoom):
		return "The bot is not in the admin room: invite it there. Until then each admin is told alone"
	case errors.Is(err, homeserver.ErrNotEncrypted):
		return "The admin room is not encrypted: turn encryption on in its settings. Until then each admin is told alone"
	default:
		return "The admin room cannot be used now. Until it can, each admin is told alone"
	}
}

// Send writes something to the admins and returns its event, "" if each was told alone. Errors: errNoAdmins.
func (p *Post) Send(ctx context.Context, content *event.MessageEventContent) (id.EventID, error) {
	if room := p.Check(ctx); room != "" {
		return p.sendTo(ctx, room, content)
	}
	if len(p.Admins) == 0 {
		return "", errNoAdmins
	}
	var problems []error
	for _, admin := range p.Admins {
		problems = append(problems, p.Tell(ctx, id.UserID(admin), content))
	}
	return "", errors.Join(problems...) // an admin who was told reads it twice then
}

// ErrNotEncrypted: the admins have no encrypted room.
var ErrNotEncrypted = errors.New("the admins have no encrypted room")

// SendEncrypted is Send for what only the admins' room may hold, which is encrypted. Errors: ErrNotEncrypted if there is none that can be
// used now.
func (p *Post) SendEncrypted(ctx context.Context, content *event.MessageEventContent) (id.EventID, error) {
	room := p.Check(ctx)
	if room == "" {
		return "", ErrNotEncrypted
	}
	return p.sendTo(ctx, room, content)
}

func (p *Post) sendTo(ctx context.Context, room id.RoomID, content *event.MessageEventContent) (id.EventID, error) {
	copied := *content
	sent, err := p.Matrix.BotIntent().SendMessage(ctx, room, event.EventMessage, &event.Content{Parsed: &copied}, nil)
	if err != nil {
		if p.Matrix.Gone(ctx, room, err) {
			p.lost(room)
		}
		return "", fmt.Errorf("failed to write to the admins: %w", err)
	}
	return sent.EventID, nil
}

// lost has the room looked for again: the bot may have been taken out of it.
func (p *Post) lost(room id.RoomID) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.room == room {
		p.room, p.warned = "", false
	}
}

// Edit replaces a message in the admins' room.
func (p *Post) Edit(ctx context.Context, replaced id.EventID, content *event.MessageEventContent) error {
	room := p.Check(ctx)
	if room == "" {
		return nil // who was told alone is not told how often it was
	}
	copied := *content
	copied.SetEdit(replaced)
	_, err := p.sendTo(ctx, room, &copied)
	return err
}

package connector

import (
	"context"
	"sync"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"
)

// maxWaitingCommands bounds the commands of one user that wait. More are dropped: nobody types that fast.
const maxWaitingCommands = 50

// commandQueue runs the commands of each user one after the other. bridgev2 runs every command in a goroutine of its own,
// so an answer could overtake the question that it belongs to, when a program asks for us.
type commandQueue struct {
	inner bridgev2.CommandProcessor
	lock  sync.Mutex
	users map[id.UserID]*userCommands
}

// userCommands exists while a user has commands.
type userCommands struct {
	turn  sync.Mutex // in the order of arrival, as far as goroutines are started in it
	count int
}

var _ bridgev2.CommandProcessor = (*commandQueue)(nil)

// NewCommandQueue puts a queue for each user before a processor.
func NewCommandQueue(inner bridgev2.CommandProcessor) bridgev2.CommandProcessor {
	return &commandQueue{inner: inner, users: make(map[id.UserID]*userCommands)}
}

// Handle implements bridgev2.CommandProcessor. It returns when the command is done.
func (q *commandQueue) Handle(
	ctx context.Context, room id.RoomID, evt id.EventID, user *bridgev2.User, message string, replyTo id.EventID,
) {
	commands := q.enter(user.MXID)
	if commands == nil {
		zerolog.Ctx(ctx).Warn().Stringer("user_id", user.MXID).Msg("Too many commands wait, dropping one")
		return
	}
	defer q.leave(user.MXID, commands)
	commands.turn.Lock()
	defer commands.turn.Unlock()
	// bridgev2 changes the logger of the context, which whoever brought the event goes on using.
	ctx = zerolog.Ctx(ctx).With().Logger().WithContext(ctx)
	q.inner.Handle(ctx, room, evt, user, message, replyTo)
}

func (q *commandQueue) enter(user id.UserID) *userCommands {
	q.lock.Lock()
	defer q.lock.Unlock()
	commands := q.users[user]
	if commands == nil {
		commands = &userCommands{}
		q.users[user] = commands
	}
	if commands.count >= maxWaitingCommands {
		return nil
	}
	commands.count++
	return commands
}

func (q *commandQueue) leave(user id.UserID, commands *userCommands) {
	q.lock.Lock()
	defer q.lock.Unlock()
	if commands.count--; commands.count == 0 {
		delete(q.users, user)
	}
}

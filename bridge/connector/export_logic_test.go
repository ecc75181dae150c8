package connector

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix/id"

	"postern/database"
)

var (
	TextEnlistFailed  = textEnlistFailed
	TextSendFailed    = textSendFailed
	TextResolveFailed = textResolveFailed
	MayEnlistLater    = mayEnlistLater
	ParseAnswer       = parseAnswer
	DisconnectedState = disconnectedState
	EndedState        = endedState
	FailureKind       = failureKind
	ParsePowerLevel   = parsePowerLevel
	IdentityNoticeID  = identityNoticeID
	ErrHandling       = errHandling
	CutWord           = cutWord
)

// Kinds of failures.
const (
	FailureWait     = failureWait
	FailureRefused  = failureRefused
	FailureTooLarge = failureTooLarge
	FailureFault    = failureFault

	MaxKeptReceipts    = maxKeptReceipts
	MaxWaitingCommands = maxWaitingCommands
)

// ChatStates is what a login remembers of its chats.
type ChatStates struct{ states chatStates }

func (c *ChatStates) Failed(chat networkid.PortalKey, kind failure) int {
	return c.states.failed(chat, kind)
}
func (c *ChatStates) Worked(chat networkid.PortalKey) { c.states.worked(chat) }
func (c *ChatStates) Keep(chat networkid.PortalKey, after, upTo time.Time) {
	c.states.keepReceipt(chat, after, upTo)
}

// Take returns the spans as pairs of times.
func (c *ChatStates) Take() map[networkid.PortalKey][2]time.Time {
	taken := make(map[networkid.PortalKey][2]time.Time)
	for chat, span := range c.states.takeReceipts() {
		taken[chat] = [2]time.Time{span.after, span.upTo}
	}
	return taken
}

// Starter bounds how many logins connect at the same time.
type Starter struct{ starter *starter }

func NewStarter(limit int) Starter                { return Starter{newStarter(limit)} }
func (s Starter) Add(start func(context.Context)) { s.starter.add(start) }
func (s Starter) Stop()                           { s.starter.stop() }
func (s Starter) Goroutines() (running, waiting int) {
	s.starter.lock.Lock()
	defer s.starter.lock.Unlock()
	return s.starter.running, len(s.starter.waiting)
}

// RemoteMessage makes an event of a message, a placeholder or a notice.
func RemoteMessage(id networkid.MessageID, message *waE2E.Message, placeholder bool, notice string) bridgev2.RemoteMessageUpsert {
	return &remoteMessage{id: id, message: message, placeholder: placeholder, notice: notice}
}

// EditOf returns what HandleExisting wants to change.
func EditOf(result bridgev2.UpsertResult) *bridgev2.ConvertedEdit {
	if len(result.SubEvents) == 0 {
		return nil
	}
	switch first := result.SubEvents[0].(type) {
	case *remoteStep:
		return first.edit
	case *remoteRemoval:
		return &bridgev2.ConvertedEdit{DeletedParts: first.parts}
	default:
		panic("neither a step nor a removal")
	}
}

// PlaceholderRow is what is stored of a placeholder.
func PlaceholderRow(converted *bridgev2.ConvertedMessage, id networkid.MessageID) *mxdatabase.Message {
	part := converted.Parts[0]
	return &mxdatabase.Message{ID: id, PartID: part.ID, MXID: "$event", Metadata: part.DBMetadata}
}

// Open makes the tables of bridgev2, which a start would do, and returns the user of an id.
func (n *Network) Open(ctx context.Context, user id.UserID) (*bridgev2.User, error) {
	n.bridge.BackgroundCtx = ctx
	if err := n.bridge.DB.Upgrade(ctx); err != nil {
		return nil, err
	}
	if err := n.Matrix.StateStore.Upgrade(ctx); err != nil {
		return nil, err
	}
	return n.bridge.GetUserByMXID(ctx, user)
}

// Close ends what Open began. The database stays open.
func (n *Network) Close() {
	n.PrepareStop()
	for _, login := range n.bridge.GetAllCachedUserLogins() {
		login.Client.Disconnect()
	}
	n.Matrix.Stop()
}

// WaitForWork returns when what Resume began is done.
func (n *Network) WaitForWork() { n.workers.Wait() }

// Resume finishes what earlier runs began.
func (n *Network) Resume(ctx context.Context) { n.resume(ctx) }

// Client returns the client of a login.
func (n *Network) Client(login networkid.UserLoginID) *Client {
	if found := n.bridge.GetCachedUserLoginByID(login); found != nil {
		return found.Client.(*Client)
	}
	return nil
}

// Enlistments returns the table of enlistments.
func (n *Network) AllEnlistments() database.Enlistments { return n.enlistments }

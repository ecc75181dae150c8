package bridge

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
	TextForeignUser   = textForeignUser
	MayEnlistLater    = mayEnlistLater
	ParseAnswer       = parseAnswer
	DisconnectedState = disconnectedState
	EndedState        = endedState
	MautrixConfig     = mautrixConfig
	FailureKind       = failureKind
	ParsePowerLevel   = parsePowerLevel
	IdentityNoticeID  = identityNoticeID
	NewCommandQueue   = newCommandQueue
	ErrHandling       = errHandling
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
func (d *Daemon) Open(ctx context.Context, user id.UserID) (*bridgev2.User, error) {
	d.bridge.BackgroundCtx = ctx
	if err := d.bridge.DB.Upgrade(ctx); err != nil {
		return nil, err
	}
	if err := d.matrix.StateStore.Upgrade(ctx); err != nil {
		return nil, err
	}
	return d.bridge.GetUserByMXID(ctx, user)
}

// Close ends what Open began.
func (d *Daemon) Close() error {
	d.network.prepareStop()
	for _, login := range d.bridge.GetAllCachedUserLogins() {
		login.Client.Disconnect()
	}
	d.matrix.Stop()
	return d.close()
}

// Network returns what all logins share.
func (d *Daemon) Network() *Network { return d.network }

// WaitForWork returns when what Resume began is done.
func (d *Daemon) WaitForWork() { d.network.workers.Wait() }

// Resume finishes what earlier runs began.
func (d *Daemon) Resume(ctx context.Context) { d.network.resume(ctx) }

// Client returns the client of a login.
func (d *Daemon) Client(login networkid.UserLoginID) *Client {
	if found := d.bridge.GetCachedUserLoginByID(login); found != nil {
		return found.Client.(*Client)
	}
	return nil
}

// Enlistments returns the table of enlistments.
func (n *Network) AllEnlistments() database.Enlistments { return n.enlistments }

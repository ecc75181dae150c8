package homeserver

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Machine returns the bot's Olm machine, for tests that give it keys.
func (c *Connector) Machine() *crypto.OlmMachine { return c.crypto.bot.machine }

// SetLateKeyLimits shortens how long a message waits for its key.
func (c *Connector) SetLateKeyLimits(request, limit time.Duration) {
	c.late.request, c.late.limit = request, limit
}

// SetMediaStall shortens how long the homeserver may make no progress with a file.
func (c *Connector) SetMediaStall(limit time.Duration) { c.mediaStall = limit }

// Introduction is how long a newcomer waits. Anyone stands for a user who came, Anywhere for the rooms of who has keys now.
const (
	Introduction = introduction
	Anyone       = string(anyone)
	Anywhere     = string(anywhere)
)

// Newcomers wait with their first message.
type Newcomers struct{ newcomers *newcomers }

func NewNewcomers() Newcomers { return Newcomers{newNewcomers()} }

// SetIntroduction shortens how long newcomers wait.
func (c *Connector) SetIntroduction(introduction time.Duration) {
	c.newcomers.introduction = introduction
}

func (n *Newcomers) Came(room, user string) { n.newcomers.came(id.RoomID(room), id.UserID(user)) }

func (n *Newcomers) Wait(ctx context.Context, room, user string) error {
	return n.newcomers.wait(ctx, id.RoomID(room), id.UserID(user))
}

// ParseMedia checks what an event tells about its file.
func ParseMedia(file *event.EncryptedFileInfo) (id.ContentURI, error) {
	uri, _, err := parseMedia(file)
	return uri, err
}

// ParseEvent reads a homeserver's answer to the question for an event.
func ParseEvent(data []byte, room id.RoomID, evt id.EventID) (original, edit *event.Event, err error) {
	return parseEvent(context.Background(), data, room, evt)
}

// WhatIsUnsupported tells what the user is told of an event, "" for nothing.
func WhatIsUnsupported(evt *event.Event) string {
	if kind, unsupported := whatIsUnsupported(evt); unsupported {
		return kind.name
	}
	return ""
}

// Prepare does what has to be done before any handler sees an event of a timeline.
func Prepare(evt *event.Event) { prepare(context.Background(), evt, event.UnknownEventType) }

// FailureNotice is what the user reads.
func (c *Connector) FailureNotice(ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) string {
	c.explain(ms, info)
	return c.failureNotice(ms, info).Body
}

// Features returns what was found out about the homeserver.
func (c *Connector) Features() Features { return c.features }

// TransactionID returns the transaction id of a message.
func TransactionID(key [32]byte, room id.RoomID, sender id.UserID, extra *bridgev2.MatrixSendExtra) string {
	return transactionIDs{key: key}.of(context.Background(), room, sender, extra)
}

// CausedTransactionID returns that of what a message does to an earlier one.
func CausedTransactionID(cause string, extra *bridgev2.MatrixSendExtra) string {
	return transactionIDs{}.of(WithCause(context.Background(), cause), "!room", "@bob", extra)
}

var (
	AtLeast              = atLeast
	ExplainUndecryptable = explainUndecryptable
	MayHeal              = mayHeal
	ErrNoSession         = errNoSession
	ErrKeyMissing        = errKeyMissing
	ErrStalled           = errStalled
	ErrRedirected        = errRedirected
	ErrNotTheFile        = errNotTheFile
)

// RecentSet is what remembers event ids.
type RecentSet struct{ set *recentSet[int] }

func NewRecentSet(size int) RecentSet  { return RecentSet{newRecentSet[int](size)} }
func (r RecentSet) Has(value int) bool { return r.set.has(value) }
func (r RecentSet) Add(value int)      { r.set.add(value) }

// NewCryptoStore makes the bridge's store of encryption keys in an empty database.
func NewCryptoStore(ctx context.Context, db *dbutil.Database, user id.UserID) (crypto.Store, error) {
	store := newCryptoStore(db, nil, "", user, "", "pickle key")
	return store, store.DB.Upgrade(ctx)
}

// SetMissingKeyPauses shortens how long a room key waits that could not be delivered.
func (c *Connector) SetMissingKeyPauses(first, rest time.Duration) {
	c.missing.first, c.missing.rest = first, rest
}

// SetMaxPuppets bounds the contacts' devices in memory.
func (c *Connector) SetMaxPuppets(limit int) { c.crypto.puppets.max = limit }

// LoadedPuppets is how many contacts' devices are in memory.
func (c *Connector) LoadedPuppets() int {
	c.crypto.puppets.lock.Lock()
	defer c.crypto.puppets.lock.Unlock()
	return len(c.crypto.puppets.loaded)
}

// RetryPuppet makes a contact's device that could not be made be tried again at once.
func (c *Connector) RetryPuppet(user id.UserID) {
	p := c.crypto.puppets.get(user)
	defer c.crypto.puppets.put(p)
	p.busy <- struct{}{}
	p.setup.next = time.Time{}
	<-p.busy
}

// ResetSession drops the Megolm sessions of a room, as the command discard-megolm-session does.
func (c *Connector) ResetSession(room id.RoomID) { c.crypto.ResetSession(context.Background(), room) }

// DropPuppets drops all contacts' devices from memory.
func (c *Connector) DropPuppets() {
	c.crypto.puppets.lock.Lock()
	defer c.crypto.puppets.lock.Unlock()
	limit := c.crypto.puppets.max
	c.crypto.puppets.max = 0
	c.crypto.puppets.evict()
	c.crypto.puppets.max = limit
}

// SecondLook is how long after news of devices they are looked at again.
const SecondLook = secondLook

// SecondLooks are planned with news of users' devices.
type SecondLooks struct{ looks secondLooks }

func (s *SecondLooks) Plan(ctx context.Context, look func(users []id.UserID), users ...id.UserID) {
	s.looks.plan(ctx, users, func(work func()) { go work() }, look)
}

// ErrGone is what a contact's device says that another has taken the place of.
var ErrGone = errGone

// BorrowPuppet returns what encrypts as the device that a contact has now.
func (c *Connector) BorrowPuppet(ctx context.Context, user id.UserID) (encrypt func(id.RoomID, *event.Content) error, err error) {
	device, release, err := c.crypto.puppets.borrow(ctx, user)
	if err != nil {
		return nil, err
	}
	release()
	return func(room id.RoomID, content *event.Content) error {
		return device.encrypt(ctx, room, event.EventMessage, content)
	}, nil
}

// SetCollectInterval shortens how often is looked for what waits for a contact's device.
func (c *Connector) SetCollectInterval(interval time.Duration) {
	c.crypto.puppets.collectInterval = interval
}

// ForgetLooks makes looks due at the devices in all rooms, and at that of a contact.
func (c *Connector) ForgetLooks(contact id.UserID) {
	c.crypto.regular.lock.Lock()
	c.crypto.regular.rooms = nil
	c.crypto.regular.lock.Unlock()
	p := c.crypto.puppets.get(contact)
	defer c.crypto.puppets.put(p)
	p.busy <- struct{}{}
	p.asked = time.Time{}
	<-p.busy
}

// SetProbeTimes changes how long the start waits for a to-device message to the bot itself, and when the next is sent.
func (c *Connector) SetProbeTimes(patience, retry time.Duration) {
	c.probe.patience, c.probe.retry = patience, retry
}

// ToDevicePushed tells whether to-device messages come in transactions, as far as is known.
func (c *Connector) ToDevicePushed() bool { return c.toDevicePushed.Load() }

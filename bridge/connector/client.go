package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"

	"postern/bridge/attendance"
	"postern/bridge/homeserver"
	"postern/bridge/settings"
	"postern/database"
	"postern/interop"
	"postern/portal"
)

// Client is one enlisted user: a bridgev2.NetworkAPI on one side, the handler of an interop client on the other. There
// may be thousands, so it holds little.
type Client struct {
	network    *Network
	login      *bridgev2.UserLogin
	gatekeeper *interop.Gatekeeper
	// self is the sender of messages from Matrix: how others at the gatekeeper saw the user when the login was made.
	self networkid.UserID
	// enlistment and interop are nil if there is no enlistment in the database, interop also if the gatekeeper is no
	// longer in the config or the enlistment has ended.
	enlistment *database.Enlistment
	interop    *interop.Client
	// attendance is nil unless the gatekeeper is on demand.
	attendance *attendance.Attendance
	// stating is held while a state is sent, which bridgev2 wants to happen one at a time. stated is set with the first.
	stating sync.Mutex
	stated  bool

	// suspended: the user has to declare to be in the EEA, and did not, or withdrew it.
	suspended bool
	// banned: an admin had suspended the user when the login was loaded.
	banned bool

	// sending is held for reading while a message goes into the outbox, and for writing while ended is set: what is in
	// the outbox after that was there before.
	sending    sync.RWMutex
	ended      atomic.Bool
	settings   settings.Settings
	gate       gate
	blocks     blocks
	codes      shownCodes
	keyNotices keyNotices
	ignored    ignoredLooks
	settled    atomic.Pointer[chan struct{}] // closed at the first news of the connection; nil if there is none to wait for
	chats      chatStates
}

var (
	_ bridgev2.IdentifierResolvingNetworkAPI          = (*Client)(nil)
	_ bridgev2.GhostDMCreatingNetworkAPI              = (*Client)(nil)
	_ bridgev2.ReadReceiptHandlingNetworkAPI          = (*Client)(nil)
	_ bridgev2.TypingHandlingNetworkAPI               = (*Client)(nil)
	_ bridgev2.PersonalFilteringCustomizingNetworkAPI = (*Client)(nil)
	_ bridgev2.NetworkAPIWithUserID                   = (*Client)(nil)
	_ bridgev2.MembershipHandlingNetworkAPI           = (*Client)(nil)
	_ bridgev2.MessageRequestAcceptingNetworkAPI      = (*Client)(nil)
	_ interop.Handler                                 = (*Client)(nil)
)

// LoadUserLogin implements bridgev2.NetworkConnector. It is called with bridgev2's cache lock held, costs one query and
// connects nothing. A login whose enlistment is gone gets a client all the same, which says so.
func (n *Network) LoadUserLogin(ctx context.Context, login *bridgev2.UserLogin) error {
	gatekeeperID, _, err := portal.ParseLoginID(login.ID)
	if err != nil {
		return err
	}
	client := &Client{network: n, login: login}
	if client.self, err = portal.OwnUserID(login.ID); err != nil {
		return err
	}
	entry := n.gatekeeper(gatekeeperID)
	if entry != nil {
		client.gatekeeper = entry.Gatekeeper
	}
	client.enlistment, err = n.enlistments.ByLogin(ctx, string(login.ID))
	if err != nil && !errors.Is(err, database.ErrNoEnlistment) {
		return fmt.Errorf("failed to load the enlistment: %w", err)
	}
	if client.enlistment != nil {
		client.settings.Load(client.enlistment.Settings)
	}
	if client.enlistment != nil && client.gatekeeper != nil && client.enlistment.State == database.Enlisted {
		options := n.clientOptions(client.enlistment, client.gatekeeper, client)
		options.Complete = client.completeDraft
		options.HoldOnNewKey = func(context.Context) (bool, error) { return client.isOn(settings.HoldOnNewKey), nil }
		options.Answers = client.answers
		options.ReadReceipts = func() bool { return client.isOn(settings.ReadReceipts) }
		client.interop = interop.NewClient(options)
		_, client.banned = n.suspended.reason(login.UserMXID)
		if client.suspended = entry.EEADeclaration && !client.enlistment.DeclaredEEA(); !client.suspended && !client.banned {
			client.expectNews()
			client.attend(entry)
		}
	}
	login.Client = client
	return nil
}

func (n *Network) clientOptions(
	enlistment *database.Enlistment, gatekeeper *interop.Gatekeeper, handler interop.Handler,
) interop.Options {
	return n.metered(interop.Options{
		Gatekeeper: gatekeeper,
		Account: interop.Account{
			JID:           enlistment.JID,
			UserVisibleID: enlistment.UserID,
			Keys:          enlistment.Keys,
		},
		Store:      n.Database.AccountStore(enlistment.Account),
		Tokens:     n.Tokens,
		Handler:    handler,
		Log:        n.InteropLog.With().Str("login_id", enlistment.Login).Str("user_mxid", enlistment.UserID).Logger(),
		HTTPClient: n.HTTPClient,
		HoldOnNewKey: func(context.Context) (bool, error) {
			return settings.HoldOnNewKey.In(enlistment.Settings).Word == settings.On, nil
		},
		Answers: func(ctx context.Context, contact types.JID) (interop.Answers, error) {
			return answersTo(ctx, n.Database.Contacts(enlistment.Account), contact)
		},
		ReadReceipts: func() bool { return settings.ReadReceipts.In(enlistment.Settings).Word == settings.On },
	})
}

func loginID(enlistment *database.Enlistment) networkid.UserLoginID {
	return networkid.UserLoginID(enlistment.Login)
}

// gatekeeperName is what the user calls the gatekeeper.
func (c *Client) gatekeeperName() string {
	if c.gatekeeper != nil {
		return c.gatekeeper.Name
	}
	return c.login.RemoteName
}

// Connect implements bridgev2.NetworkAPI. It returns at once; the login connects when the starter lets it.
func (c *Client) Connect(context.Context) {
	switch {
	case c.banned:
		c.login.BridgeState.Send(bannedState(c.network.reasonOf(c.login.UserMXID)))
	case c.suspended:
		c.login.BridgeState.Send(suspendedState(c.gatekeeperName()))
	case c.attendance != nil:
		c.connectOnDemand()
	case c.interop != nil:
		c.sendState(status.BridgeState{StateEvent: status.StateConnecting})
		c.network.starter.add(c.start)
	case c.gatekeeper == nil:
		c.sendState(removedState(c.gatekeeperName()))
	case c.enlistment != nil && c.enlistment.State == database.Lapsed:
		c.sendState(c.lapsedState())
		c.network.Spawn(func(ctx context.Context) { c.giveUpWaiting(c.login.Log.WithContext(ctx)) })
	case c.enlistment != nil && c.enlistment.State == database.Leaving:
		c.login.BridgeState.Send(leavingState(c.gatekeeperName()))
	default:
		c.sendState(missingState(c.gatekeeperName()))
	}
}

// sendState tells the user and their programs how the login is doing.
func (c *Client) sendState(state status.BridgeState) {
	c.stating.Lock()
	defer c.stating.Unlock()
	c.stated = true
	c.login.BridgeState.Send(state)
}

// start connects and returns at the first news, good or bad, or when ctx ends.
func (c *Client) start(ctx context.Context) {
	news := c.expectNews()
	if !c.begin() {
		c.settle()
	}
	select {
	case <-news:
	case <-ctx.Done():
	}
}

// expectNews returns what is closed at the next news of the connection.
func (c *Client) expectNews() <-chan struct{} {
	fresh := make(chan struct{})
	for {
		if c.settled.CompareAndSwap(nil, &fresh) {
			return fresh
		} else if expected := c.settled.Load(); expected != nil {
			return *expected
		}
	}
}

// begin starts the interop client. It returns false if it must not be started any more.
func (c *Client) begin() bool {
	if c.attendance == nil {
		c.interop.Start()
		return true
	}
	c.network.calls.end(c.enlistment.Account)
	return c.attendance.Begin()
}

// settle is called at each news of the connection, and when there will be none.
func (c *Client) settle() {
	if settled := c.settled.Swap(nil); settled != nil {
		close(*settled)
	}
}

// Disconnect implements bridgev2.NetworkAPI. It waits until no event is being handled.
func (c *Client) Disconnect() {
	c.settle()
	if c.interop == nil {
		return
	}
	if c.attendance != nil {
		c.attendance.Close()
		defer c.attendance.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), DisconnectTimeout)
	defer cancel()
	if err := c.interop.Stop(ctx); err != nil {
		c.login.Log.Warn().Err(err).Msg("The chat channel did not stop in time")
	}
}

// IsLoggedIn implements bridgev2.NetworkAPI: the user is enlisted as far as we know. Messages are taken while the chat
// channel is down, they wait in the outbox.
func (c *Client) IsLoggedIn() bool {
	return c.interop != nil && !c.suspended && !c.banned && !c.ended.Load()
}

// serves tells whether the client is at work for the account.
func (c *Client) serves(account database.AccountID) bool {
	return c.IsLoggedIn() && c.enlistment.Account == account
}

// IsThisUser implements bridgev2.NetworkAPI.
func (c *Client) IsThisUser(_ context.Context, user networkid.UserID) bool { return user == c.self }

// GetUserID implements bridgev2.NetworkAPIWithUserID.
func (c *Client) GetUserID() networkid.UserID { return c.self }

// GetCapabilities implements bridgev2.NetworkAPI.
func (c *Client) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return c.network.capabilities
}

// CustomizePersonalFilteringSpace implements bridgev2.PersonalFilteringCustomizingNetworkAPI.
func (c *Client) CustomizePersonalFilteringSpace(request *mautrix.ReqCreateRoom) {
	if !c.isOn(settings.Space) {
		request.Preset = homeserver.PresetNone
		return
	}
	request.Name = settings.SpaceName
	request.Topic = fmt.Sprintf("Your chats with people on %s", c.gatekeeperName())
}

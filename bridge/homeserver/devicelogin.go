package homeserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mau.fi/util/random"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

// deviceName is what our devices are called in the homeserver's lists.
const deviceName = "Postern"

// deviceIDLength is that of the names that Synapse gives.
const deviceIDLength = 10

var (
	// ErrNoDevice: the homeserver lets the bot have no device, so nothing can be encrypted.
	ErrNoDevice = errors.New("the homeserver lets the bot have no device: it neither offers m.login.application_service nor makes devices for an appservice (MSC4190)")
	// errNoLoginFlow: the server does not list the login type of appservices.
	errNoLoginFlow = errors.New("the homeserver does not offer m.login.application_service")
)

// loginBot gives the bot a device: the one in the database, or a new one. The access token of a login is not stored, so
// every start logs in again and gets a new one for the same device. existing is false for a new device.
func (m *megolm) loginBot(ctx context.Context) (existing bool, err error) {
	device, err := m.bot.store.FindDeviceID(ctx)
	if err != nil {
		return false, fmt.Errorf("failed to look for the bot's device: %w", err)
	}
	ways := []func(context.Context, id.DeviceID) error{m.loginBotByToken, m.bot.create}
	if m.connector.features.MSC4190 {
		ways[0], ways[1] = ways[1], ways[0]
	}
	if err = ways[0](ctx, device); err != nil && isUnsupported(err) {
		m.log.Debug().Err(err).Msg("The homeserver refused one way to make a device, trying the other")
		if second := ways[1](ctx, device); second != nil {
			err = fmt.Errorf("%w (%w; %w)", ErrNoDevice, err, second)
		} else {
			err = nil
		}
	}
	if err != nil {
		return false, err
	}
	m.connector.features.MSC4190 = m.bot.client.SetAppServiceDeviceID
	m.bot.store.DeviceID = m.bot.client.DeviceID
	return device != "" && m.bot.client.DeviceID == device, nil
}

// loginBotByToken is for a bot that syncs: all it does, it does as the device.
func (m *megolm) loginBotByToken(ctx context.Context, device id.DeviceID) error {
	flows, err := m.bot.newClient("").GetLoginFlows(ctx)
	if err != nil {
		return fmt.Errorf("failed to ask how the bot can log in: %w", err)
	} else if !flows.HasFlow(mautrix.AuthTypeAppservice) {
		return errNoLoginFlow
	}
	m.bot.client, err = m.bot.logIn(ctx, device)
	return err
}

// create makes a device with the as_token (MSC4190) and names it in every request (MSC3202). It may exist. "" makes a new one.
func (d *device) create(ctx context.Context, device id.DeviceID) error {
	client := d.newClient("")
	if err := client.CreateDeviceMSC4190(ctx, device, deviceName); err != nil {
		return fmt.Errorf("failed to make a device for %s: %w", d.user, err)
	}
	d.client = client
	return nil
}

// logIn uses the as_token to get an access token of the device's own. It makes the device if it does not exist, and names it
// if that is left to it.
func (d *device) logIn(ctx context.Context, device id.DeviceID) (*mautrix.Client, error) {
	client := d.newClient("")
	_, err := client.Login(ctx, &mautrix.ReqLogin{
		Type:                     mautrix.AuthTypeAppservice,
		Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: string(client.UserID)},
		DeviceID:                 device,
		InitialDeviceDisplayName: deviceName,
		StoreCredentials:         true, // in the client's memory, that is
	})
	if err != nil {
		return nil, fmt.Errorf("failed to log %s in: %w", d.user, err)
	}
	return client, nil
}

// session returns the client that acts as the device, which only uploading keys and reading messages take. Where devices are
// made by MSC4190 that is the one for everything. Otherwise it is one with an access token, whose login makes the other
// members of the contact's rooms ask for the device's keys again, so it is done only when it is needed.
func (d *device) session(ctx context.Context) (*mautrix.Client, error) {
	if d.client.SetAppServiceDeviceID || d.user == d.crypto.connector.Bot.UserID {
		return d.client, nil
	}
	var session *mautrix.Client
	select {
	case session = <-d.login:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { d.login <- session }()
	if session != nil {
		return session, nil
	}
	var err error
	session, err = d.logIn(ctx, d.client.DeviceID)
	return session, err
}

// retire takes the device off the homeserver, so that nobody encrypts for it any more.
func (d *device) retire(ctx context.Context) error {
	var err error
	if d.client.SetAppServiceDeviceID {
		err = d.newClient("").DeleteDevice(ctx, d.client.DeviceID, &mautrix.ReqDeleteDevice[any]{})
	} else {
		var session *mautrix.Client
		if session, err = d.session(ctx); err == nil {
			_, err = session.Logout(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("failed to delete the device of %s: %w", d.user, err)
	}
	return nil
}

// endSession forgets an access token that the homeserver does not know any more.
func (d *device) endSession() {
	<-d.login
	d.login <- nil
}

// newClient makes a client that acts as the user with the as_token, and as the device if the homeserver can do that.
func (d *device) newClient(device id.DeviceID) *mautrix.Client {
	c := d.crypto.connector
	client := c.AS.NewMautrixClient(d.user)
	client.Log = *d.log
	client.DefaultHTTPRetries = ghostRetries
	if d.user == c.Bot.UserID {
		client.DefaultHTTPRetries = botRetries
	}
	if device != "" {
		client.DeviceID = device
		client.SetAppServiceDeviceID = c.features.MSC4190
	}
	return client
}

func newDeviceID() id.DeviceID { return id.DeviceID(strings.ToUpper(random.String(deviceIDLength))) }

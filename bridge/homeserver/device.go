package homeserver

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

// deviceName is what the bot's device is called in the homeserver's lists.
const deviceName = "Postern"

// ErrNoDevice: the homeserver lets the bot have no device, so nothing can be encrypted.
var ErrNoDevice = errors.New("the homeserver lets the bot have no device: it neither offers m.login.application_service nor makes devices for an appservice (MSC4190)")

// login gives the bot a device: the one in the database, or a new one. The access token of a login is not stored, so
// every start logs in again and gets a new one for the same device. existing is false for a new device.
func (m *megolm) login(ctx context.Context) (existing bool, err error) {
	device, err := m.store.FindDeviceID(ctx)
	if err != nil {
		return false, fmt.Errorf("failed to look for the bot's device: %w", err)
	}
	ways := []func(context.Context, id.DeviceID) error{m.appserviceLogin, m.createDevice}
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
	m.connector.features.MSC4190 = m.client.SetAppServiceDeviceID
	m.store.DeviceID = m.client.DeviceID
	return device != "" && m.client.DeviceID == device, nil
}

// createDevice makes the device with the as_token (MSC4190) and names it in every request (MSC3202).
func (m *megolm) createDevice(ctx context.Context, device id.DeviceID) error {
	client := m.newClient()
	if err := client.CreateDeviceMSC4190(ctx, device, deviceName); err != nil {
		return fmt.Errorf("failed to make a device for the bot: %w", err)
	}
	m.client = client
	return nil
}

// errNoLoginFlow: the server does not list the login type of appservices.
var errNoLoginFlow = errors.New("the homeserver does not offer m.login.application_service")

// appserviceLogin logs in with the as_token and gets an access token of the device's own.
func (m *megolm) appserviceLogin(ctx context.Context, device id.DeviceID) error {
	client := m.newClient()
	flows, err := client.GetLoginFlows(ctx)
	if err != nil {
		return fmt.Errorf("failed to ask how the bot can log in: %w", err)
	} else if !flows.HasFlow(mautrix.AuthTypeAppservice) {
		return errNoLoginFlow
	}
	_, err = client.Login(ctx, &mautrix.ReqLogin{
		Type:                     mautrix.AuthTypeAppservice,
		Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: string(client.UserID)},
		DeviceID:                 device,
		InitialDeviceDisplayName: deviceName,
		StoreCredentials:         true, // in the client's memory, that is
	})
	if err != nil {
		return fmt.Errorf("failed to log the bot in: %w", err)
	}
	m.client = client
	return nil
}

func (m *megolm) newClient() *mautrix.Client {
	client := m.connector.AS.NewMautrixClient(m.connector.Bot.UserID)
	client.DefaultHTTPRetries = botRetries
	return client
}

// isUnsupported tells whether the server does not know what was asked for, rather than being out of order.
func isUnsupported(err error) bool {
	var answer mautrix.HTTPError
	if errors.Is(err, errNoLoginFlow) {
		return true
	}
	return errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode >= 400 && answer.Response.StatusCode < 500
}

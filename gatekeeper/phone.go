package gatekeeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"

	"go.mau.fi/whatsmeow/types"
	"golang.org/x/net/netutil"

	"postern/gatekeeper/phone"
	"postern/gatekeeper/phone/page"
	"postern/gatekeeper/state"
)

// maxPhoneConnections is how many connections the phone page takes at once. Every open page has one for its events.
const maxPhoneConnections = 128

// startPhones opens the phones and serves their page, if the config asks for it. The chat channel must be served already.
func (s *Server) startPhones(ctx context.Context) error {
	if s.config.Phone == "" {
		return nil
	}
	// Not the config's address: the phones are on this machine.
	chat := &url.URL{Scheme: "ws", Host: s.localAddress(), Path: chatPath}
	phones, err := phone.Open(ctx, phone.Options{
		Database: s.config.phoneDatabase(), ChatURL: chat, RootKey: s.RootKey(), Registry: phoneRegistry{s},
		Log: s.log.With().Str("part", "phone").Logger(),
	})
	if err != nil {
		return err
	}
	s.phones.Store(phones)
	listener, err := net.Listen("tcp", s.config.Phone)
	if err != nil {
		return fmt.Errorf("failed to listen for the phone page: %w", err) // Stop closes the phones
	}
	s.phonePage = listener
	s.serve(netutil.LimitListener(listener, maxPhoneConnections), page.New(phones, s.log))
	return nil
}

// PhoneURL returns the phone page's base URL after Start, "" if there is none.
func (s *Server) PhoneURL() string {
	if s.phonePage == nil {
		return ""
	}
	return "http://" + s.phonePage.Addr().String()
}

// controlOpenPhone opens the page's phone of a WhatsApp user.
func (s *Server) controlOpenPhone(r *http.Request) (any, error) {
	found, err := s.accountOf(r)
	if err != nil {
		return nil, err
	}
	phones := s.phones.Load()
	if found.IsInterop() || phones == nil {
		return nil, badRequest("no WhatsApp user, or no phone page in the config")
	}
	if _, err = phones.Add(r.Context(), "+"+found.JID.User, ""); err != nil {
		return nil, err
	}
	return map[string]string{"url": s.PhoneURL() + "/phones/" + found.JID.User}, nil
}

// refreshPhone makes the page's phone of a user, if there is one, show what the registry says now.
func (s *Server) refreshPhone(owner *user) {
	if phones := s.phones.Load(); phones != nil {
		if opened := phones.Get("+" + owner.JID.User); opened != nil {
			opened.Refresh()
		}
	}
}

// phoneRegistry is what the page's phones ask the gatekeeper for beside the chat channel.
type phoneRegistry struct{ server *Server }

var _ phone.Registry = phoneRegistry{}

// Find implements [phone.Registry].
func (r phoneRegistry) Find(ctx context.Context, name string) (phone.Contact, error) {
	found, err := r.server.findNamed(ctx, name)
	if errors.Is(err, state.ErrUnknown) {
		return phone.Contact{}, phone.ErrNobody
	} else if err != nil {
		return phone.Contact{}, err
	}
	return r.contact(found), nil
}

func (r phoneRegistry) contact(found *user) phone.Contact {
	contact := phone.Contact{Address: found.LID, Name: found.Name, ID: found.UserVisibleID}
	if !found.IsInterop() {
		contact.ID = "+" + found.JID.User
		return contact
	}
	contact.Partner = fmt.Sprint("partner ", found.JID.Integrator) // one that the config does not list any more
	for _, partner := range r.server.config.Partners {
		if partner.Integrator == found.JID.Integrator {
			contact.Partner = partner.title()
		}
	}
	return contact
}

// owner returns the WhatsApp user with the phone number.
func (r phoneRegistry) owner(ctx context.Context, number string) (*user, error) {
	digits := phoneDigits(number)
	if digits == "" {
		return nil, phone.ErrBadNumber
	}
	found, err := r.server.directory.find(ctx, types.NewJID(digits, types.DefaultUserServer))
	if errors.Is(err, state.ErrUnknown) {
		return nil, phone.ErrNobody
	}
	return found, err
}

// Account implements [phone.Registry].
func (r phoneRegistry) Account(ctx context.Context, number, name string) (phone.Contact, error) {
	found, err := r.owner(ctx, number)
	if errors.Is(err, phone.ErrNobody) {
		found, err = r.server.createAccount(ctx, number, name, true)
	}
	if err != nil {
		return phone.Contact{}, err
	}
	return r.contact(found), nil
}

// AddDevice implements [phone.Registry].
func (r phoneRegistry) AddDevice(ctx context.Context, number string, noiseKey [32]byte) (device, lid types.JID, err error) {
	found, err := r.owner(ctx, number)
	if err != nil {
		return device, lid, err
	}
	if device, err = r.server.addDevice(ctx, found, noiseKey, nil); err != nil {
		return device, lid, err
	}
	return device, found.as(false, device.Device), nil
}

// Settings implements [phone.Registry].
func (r phoneRegistry) Settings(ctx context.Context, number string) (phone.Settings, error) {
	found, err := r.owner(ctx, number)
	if err != nil {
		return phone.Settings{}, err
	}
	choices, err := r.server.state.Choices(ctx, found.JID)
	if err != nil {
		return phone.Settings{}, err
	}
	settings := phone.Settings{ThirdParty: found.ThirdParty, OneInbox: choices.OneInbox}
	for _, partner := range r.server.config.Partners {
		settings.Partners = append(settings.Partners, phone.Partner{
			Integrator: partner.Integrator, Name: partner.title(), Address: partner.Issuer, Allowed: !slices.Contains(choices.Refused, partner.Integrator),
		})
	}
	return settings, nil
}

// SetSettings implements [phone.Registry].
func (r phoneRegistry) SetSettings(ctx context.Context, number string, settings phone.Settings) error {
	found, err := r.owner(ctx, number)
	if err != nil {
		return err
	}
	choices := state.ThirdPartyChoices{OneInbox: settings.OneInbox}
	for _, partner := range settings.Partners {
		if !partner.Allowed {
			choices.Refused = append(choices.Refused, partner.Integrator)
		}
	}
	if err = r.server.state.SetChoices(ctx, found.JID, choices); err == nil {
		err = r.server.state.SetThirdParty(ctx, found.JID, settings.ThirdParty)
	}
	r.server.directory.forget(found.JID)
	if err != nil || !settings.ThirdParty {
		return err
	}
	return r.server.answerPings(ctx, found.JID)
}

// Asking implements [phone.Registry].
func (r phoneRegistry) Asking(ctx context.Context, number string) ([]phone.Contact, error) {
	found, err := r.owner(ctx, number)
	if err != nil {
		return nil, err
	}
	pings, err := r.server.state.Pings(ctx, found.JID)
	if err != nil {
		return nil, err
	}
	asking := make([]phone.Contact, 0, len(pings))
	for _, ping := range pings {
		if sender, err := r.server.directory.find(ctx, ping.Sender); err == nil {
			asking = append(asking, r.contact(sender))
		}
	}
	return asking, nil
}

// IdentityKeys implements [phone.Registry].
func (r phoneRegistry) IdentityKeys(ctx context.Context, number string) ([][]byte, error) {
	found, err := r.owner(ctx, number)
	if err != nil {
		return nil, err
	}
	devices, err := r.server.state.Devices(ctx, found.JID)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for _, device := range devices {
		if device.Identity != nil {
			keys = append(keys, device.Identity)
		}
	}
	return keys, nil
}

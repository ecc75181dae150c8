package sandbox

import (
	"context"
	"encoding/hex"
	"net/http"

	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// Account is what the gatekeeper tells about a WhatsApp user or a partner's user.
type Account struct {
	JID string `json:"jid"`
	LID string `json:"lid"`
	// UserVisibleID is a partner's user's Matrix ID.
	UserVisibleID string   `json:"user_visible_id"`
	Name          string   `json:"name"`
	ThirdParty    bool     `json:"third_party"`
	Devices       []uint16 `json:"devices"`
	Connected     []uint16 `json:"connected"`
}

// CreateAccount makes a WhatsApp account that accepts third-party chats.
func (s *Server) CreateAccount(ctx context.Context, phone, name string) error {
	return s.ask(ctx, http.MethodPost, "/accounts", map[string]any{"phone": phone, "name": name, "third_party": true}, nil)
}

// OpenPhone opens the phone of a WhatsApp user on the sandbox's phone page and returns the page's address. The phone is one
// more of the user's devices, and can be written to.
func (s *Server) OpenPhone(ctx context.Context, phone string) (string, error) {
	var opened struct {
		URL string `json:"url"`
	}
	err := s.ask(ctx, http.MethodPost, accountPath(phone)+"/phone", nil, &opened)
	return opened.URL, err
}

// RegisterDevice adds a device to a WhatsApp account and returns its two addresses.
func (s *Server) RegisterDevice(ctx context.Context, phone string, noiseKey [32]byte) (number, lid types.JID, err error) {
	var device struct {
		JID string `json:"jid"`
		LID string `json:"lid"`
	}
	request := map[string]any{"noise_key": hex.EncodeToString(noiseKey[:])}
	if err = s.ask(ctx, http.MethodPost, accountPath(phone)+"/devices", request, &device); err != nil {
		return number, lid, err
	}
	if number, err = wire.ParseJID(device.JID); err != nil {
		return number, lid, err
	}
	lid, err = wire.ParseJID(device.LID)
	return number, lid, err
}

// Account returns an account by phone number, address or Matrix ID.
func (s *Server) Account(ctx context.Context, name string) (*Account, error) {
	account := &Account{}
	if err := s.ask(ctx, http.MethodGet, accountPath(name), nil, account); err != nil {
		return nil, err
	}
	return account, nil
}

// AliasOf returns the address under which WhatsApp clients reach a partner's user.
func (s *Server) AliasOf(ctx context.Context, userVisibleID string) (types.JID, error) {
	account, err := s.Account(ctx, userVisibleID)
	if err != nil {
		return types.EmptyJID, err
	}
	return wire.ParseJID(account.LID)
}

// Partners returns the enlisted users.
func (s *Server) Partners(ctx context.Context) ([]Account, error) {
	var list struct {
		Accounts []Account `json:"accounts"`
	}
	err := s.ask(ctx, http.MethodGet, "/interop", nil, &list)
	return list.Accounts, err
}

// Connections returns how many clients are connected, of both sides.
func (s *Server) Connections(ctx context.Context) (int, error) {
	var info struct {
		Connections int `json:"connections"`
	}
	err := s.ask(ctx, http.MethodGet, "/info", nil, &info)
	return info.Connections, err
}

// SetThirdParty turns a WhatsApp user's third-party chats on or off.
func (s *Server) SetThirdParty(ctx context.Context, phone string, on bool) error {
	return s.ask(ctx, http.MethodPatch, accountPath(phone), map[string]any{"third_party": on}, nil)
}

// Pings returns which partners' users ask a WhatsApp user to turn third-party chats on, by their Matrix IDs.
func (s *Server) Pings(ctx context.Context, phone string) (from []string, err error) {
	var list struct {
		Pings []struct {
			From string `json:"from"`
		} `json:"pings"`
	}
	err = s.ask(ctx, http.MethodGet, accountPath(phone)+"/pings", nil, &list)
	for _, ping := range list.Pings {
		from = append(from, ping.From)
	}
	return from, err
}

// SetPicture gives a WhatsApp user a profile picture.
func (s *Server) SetPicture(ctx context.Context, phone string, picture []byte) error {
	return s.ask(ctx, http.MethodPut, accountPath(phone)+"/picture", picture, nil)
}

// Forget removes an account, such as an enlistment that was not used for 30 days.
func (s *Server) Forget(ctx context.Context, name string) error {
	return s.ask(ctx, http.MethodDelete, accountPath(name), nil, nil)
}

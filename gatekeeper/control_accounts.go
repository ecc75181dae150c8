package gatekeeper

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// maxPicture bounds a profile picture, in bytes.
const maxPicture = 1 << 20

// accountInfo is an account in the control API's answers.
type accountInfo struct {
	JID           string   `json:"jid"`
	LID           string   `json:"lid"`
	UserVisibleID string   `json:"user_visible_id,omitempty"`
	Name          string   `json:"name"`
	ThirdParty    bool     `json:"third_party"`
	Devices       []uint16 `json:"devices"`   // those that uploaded their keys
	Connected     []uint16 `json:"connected"` // those of them that are connected
}

func (s *Server) describe(found *user) accountInfo {
	info := accountInfo{
		JID: wire.FormatJID(found.JID), LID: wire.FormatJID(found.LID), UserVisibleID: found.UserVisibleID, Name: found.Name,
		ThirdParty: found.ThirdParty, Devices: append([]uint16{}, found.devices...), Connected: []uint16{},
	}
	for _, device := range found.devices {
		if s.hub.get(found.as(true, device)) != nil {
			info.Connected = append(info.Connected, device)
		}
	}
	return info
}

// accountOf returns the account that a request's path names: by phone number, JID, LID or user-visible identifier.
func (s *Server) accountOf(r *http.Request) (*user, error) {
	return s.accountNamed(r, r.PathValue("account"))
}

func (s *Server) accountNamed(r *http.Request, name string) (*user, error) {
	return s.findNamed(r.Context(), name)
}

// findNamed returns whom a phone number, JID, LID or user-visible identifier names, or [state.ErrUnknown].
func (s *Server) findNamed(ctx context.Context, name string) (*user, error) {
	if digits := phoneDigits(name); digits != "" {
		return s.directory.find(ctx, types.NewJID(digits, types.DefaultUserServer))
	}
	if address, err := wire.ParseJID(name); err == nil && address.User != "" {
		return s.directory.find(ctx, address)
	}
	for _, partner := range s.config.Partners {
		account, err := s.state.AccountByUserVisibleID(ctx, partner.Integrator, name)
		if err == nil {
			return s.directory.find(ctx, account.JID)
		}
	}
	return nil, state.ErrUnknown
}

// controlInfo tells how to reach and to trust this gatekeeper.
func (s *Server) controlInfo(*http.Request) (any, error) {
	root := s.RootKey()
	return map[string]any{
		"url": s.URL(), "enlist_url": s.EnlistURL(), "chat_url": s.ChatURL(), "media_url": s.URL(), "root_key": hex.EncodeToString(root[:]),
		"connections": len(s.hub.all()),
	}, nil
}

func (s *Server) controlCreateAccount(r *http.Request) (any, error) {
	var request struct {
		Phone      string `json:"phone"`
		Name       string `json:"name"`
		ThirdParty *bool  `json:"third_party"`
	}
	if err := readControl(r, &request); err != nil {
		return nil, err
	}
	found, err := s.createAccount(r.Context(), request.Phone, request.Name, request.ThirdParty == nil || *request.ThirdParty)
	if err != nil {
		return nil, err
	}
	return s.describe(found), nil
}

// createAccount makes a WhatsApp user. Fails with [state.ErrExists].
func (s *Server) createAccount(ctx context.Context, phone, name string, thirdParty bool) (*user, error) {
	digits := phoneDigits(phone)
	if digits == "" {
		return nil, badRequest("phone must be a phone number in international form")
	} else if !validName(name) {
		return nil, badRequest("name is too long or not UTF-8")
	}
	account := &state.Account{
		JID: types.NewJID(digits, types.DefaultUserServer), Name: name, LastLogin: s.clock.unix(), ThirdParty: thirdParty,
	}
	if err := s.state.AddAccount(ctx, account); err != nil {
		return nil, err
	}
	return s.directory.find(ctx, account.JID)
}

func validName(name string) bool { return len(name) <= maxName && utf8.ValidString(name) }

func (s *Server) controlGetAccount(r *http.Request) (any, error) {
	found, err := s.accountOf(r)
	if err != nil {
		return nil, err
	}
	return s.describe(found), nil
}

func (s *Server) controlChangeAccount(r *http.Request) (any, error) {
	var request struct {
		Name       *string `json:"name"`
		ThirdParty *bool   `json:"third_party"`
	}
	found, err := s.accountOf(r)
	if err == nil {
		err = readControl(r, &request)
	}
	if err != nil {
		return nil, err
	}
	if request.Name != nil {
		if !validName(*request.Name) {
			return nil, badRequest("name is too long or not UTF-8")
		}
		err = s.state.SetName(r.Context(), found.JID, *request.Name)
	}
	if err == nil && request.ThirdParty != nil {
		err = s.state.SetThirdParty(r.Context(), found.JID, *request.ThirdParty)
	}
	s.directory.forget(found.JID)
	if err == nil && request.ThirdParty != nil && *request.ThirdParty {
		err = s.answerPings(r.Context(), found.JID)
	}
	if err != nil {
		return nil, err
	}
	return s.controlGetAccount(r)
}

func (s *Server) controlForgetAccount(r *http.Request) (any, error) {
	found, err := s.accountOf(r)
	if err != nil {
		return nil, err
	}
	return nil, s.removeAccount(r.Context(), found.JID)
}

// controlAddDevice registers a device of a WhatsApp user. It can log in at once, and is written to after it uploaded
// its keys. The lowest free number is taken if none is asked for.
func (s *Server) controlAddDevice(r *http.Request) (any, error) {
	var request struct {
		NoiseKey string  `json:"noise_key"`
		Number   *uint16 `json:"number"`
	}
	found, err := s.accountOf(r)
	if err == nil {
		err = readControl(r, &request)
	}
	if err != nil {
		return nil, err
	} else if found.IsInterop() {
		return nil, badRequest("a partner's user has one device, which enlists by itself")
	}
	key, err := readKey(request.NoiseKey)
	if err != nil {
		return nil, err
	}
	device, err := s.addDevice(r.Context(), found, key, request.Number)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"device": device.Device, "jid": wire.FormatJID(device), "lid": wire.FormatJID(found.as(false, device.Device)),
	}, nil
}

// addDevice registers a device of a WhatsApp user under the number, or the lowest free one, and returns its address.
func (s *Server) addDevice(ctx context.Context, found *user, noiseKey [32]byte, wanted *uint16) (types.JID, error) {
	s.devices.Lock()
	defer s.devices.Unlock()
	registered, err := s.state.Devices(ctx, found.JID)
	if err != nil {
		return types.EmptyJID, err
	}
	number, ok := freeNumber(registered, wanted)
	if !ok {
		return types.EmptyJID, &controlError{http.StatusConflict, "device number is taken or too high"}
	}
	device := found.as(true, number)
	return device, s.state.AddDevice(ctx, &state.Device{JID: device, Noise: noiseKey}, false)
}

// freeNumber returns the number that is wanted, or else the lowest one, if it is free.
func freeNumber(registered []*state.Device, wanted *uint16) (uint16, bool) {
	taken := make(map[uint16]bool, len(registered))
	for _, device := range registered {
		taken[device.JID.Device] = true
	}
	if wanted != nil {
		return *wanted, *wanted <= maxDevice && !taken[*wanted]
	}
	for number := range uint16(maxDevice + 1) {
		if !taken[number] {
			return number, true
		}
	}
	return 0, false
}

// readKey takes a key in hexadecimal or in base64.
func readKey(text string) (key [32]byte, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		raw, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(raw) != len(key) {
		return key, badRequest("noise_key must be 32 bytes in hexadecimal or base64")
	}
	return [32]byte(raw), nil
}

func (s *Server) controlRemoveDevice(r *http.Request) (any, error) {
	found, err := s.accountOf(r)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 16)
	if err != nil || found.IsInterop() {
		return nil, badRequest("no device of a WhatsApp user")
	}
	device := found.as(true, uint16(number))
	if err = s.state.RemoveDevice(r.Context(), device); err != nil {
		return nil, err
	}
	s.directory.forget(found.JID)
	if c := s.hub.get(device); c != nil {
		c.end(removedError())
	}
	return nil, s.announceDevices(r.Context(), device)
}

// controlSetPicture takes the picture as the request's body.
func (s *Server) controlSetPicture(r *http.Request) (any, error) {
	found, err := s.accountOf(r)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r.Body, maxPicture+1))
	switch {
	case err != nil || len(content) == 0:
		return nil, badRequest("body must be a picture")
	case len(content) > maxPicture:
		return nil, &controlError{http.StatusRequestEntityTooLarge, "picture too large"}
	}
	id, err := s.state.SetPicture(r.Context(), found.JID, content)
	if err != nil {
		return nil, err
	}
	return map[string]string{"id": id}, s.announcePicture(r.Context(), found.JID, id)
}

func (s *Server) controlRemovePicture(r *http.Request) (any, error) {
	found, err := s.accountOf(r)
	if err != nil {
		return nil, err
	}
	if err = s.state.RemovePicture(r.Context(), found.JID); err != nil {
		return nil, err
	}
	return nil, s.announcePicture(r.Context(), found.JID, "")
}

func (s *Server) controlListInterop(r *http.Request) (any, error) {
	accounts, err := s.state.InteropAccounts(r.Context())
	if err != nil {
		return nil, err
	}
	list := make([]accountInfo, 0, len(accounts))
	for _, account := range accounts {
		found, err := s.directory.find(r.Context(), account.JID)
		if err != nil {
			return nil, err
		}
		list = append(list, s.describe(found))
	}
	return map[string]any{"accounts": list}, nil
}

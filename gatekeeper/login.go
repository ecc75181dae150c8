package gatekeeper

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/gatekeeper/state"
	"postern/gatekeeper/token"
	"postern/interop/wire"
)

// Reasons of a failed login, see docs/protocol.md.
const (
	failureBadPayload  = 400
	failureNotEnlisted = 401
	failureOutdated    = 405
	failureExpired     = 413
	failureBadToken    = 414
	failureInternal    = 500
	failureUnavailable = 503
)

// login is a client that proved who it is.
type login struct {
	device       types.JID // canonical
	lid          types.JID // of the device, for WhatsApp clients
	readReceipts bool
}

// serveChat is one chat channel, from the websocket's upgrade to its end.
func (s *Server) serveChat(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	defer s.work.Done()
	handshake, err := s.identity.handshake()
	if err != nil {
		s.log.Err(err).Msg("Failed to make certificates")
		http.Error(w, "no certificate", http.StatusInternalServerError)
		return
	}
	conn, static, payload, err := wire.Accept(w, r, handshake)
	if err != nil {
		s.log.Debug().Err(err).Msg("Handshake failed")
		return
	}
	who, reason := s.checkLogin(r.Context(), static, payload)
	if reason != 0 {
		s.refuseLogin(conn, who, reason)
		return
	}
	c := newSession(s, conn, who)
	defer c.cancel()
	replaced, ok := s.hub.add(c)
	if !ok {
		_ = conn.Close(0)
		return
	}
	s.pushes.connected(c.device)
	if replaced != nil {
		replaced.end(replacedError())
	}
	success := waBinary.Attrs{"t": s.clock.unix()}
	if !who.lid.IsEmpty() {
		success["lid"] = who.lid
	}
	c.note(state.Saw{Kind: "login"})
	c.log.Info().Msg("Logged in")
	c.send(waBinary.Node{Tag: "success", Attrs: success})
	c.run()
}

func (s *Server) refuseLogin(conn *wire.Conn, who *login, reason int) {
	record := state.Saw{Kind: "login refused " + strconv.Itoa(reason)}
	if who != nil {
		record.From = wire.FormatJID(who.device)
	}
	s.note(record)
	s.log.Info().Str("device", record.From).Int("reason", reason).Msg("Login refused")
	ctx, cancel := context.WithTimeout(s.background, farewellTimeout)
	defer cancel()
	_ = conn.WriteNode(ctx, waBinary.Node{Tag: "failure", Attrs: waBinary.Attrs{"reason": reason, "location": "sandbox"}})
	grace, end := context.WithTimeout(s.background, farewellGrace)
	defer end()
	_, _ = conn.ReadNode(grace) // returns when the client closes, or after the grace
	_ = conn.Close(0)
}

// checkLogin decides on a login. reason is 0 if it is granted; who is nil if the payload names nobody.
func (s *Server) checkLogin(ctx context.Context, static [32]byte, raw []byte) (who *login, reason int) {
	payload := &waWa6.ClientPayload{}
	if err := proto.Unmarshal(raw, payload); err != nil {
		return nil, failureBadPayload
	}
	who = whoIs(payload)
	if who == nil {
		return nil, failureBadPayload
	}
	if reason = s.faults.refusal(who.device); reason != 0 {
		return who, reason
	}
	if payload.Product != nil {
		who, reason = s.checkPartner(ctx, payload)
	}
	if reason != 0 {
		return who, reason
	}
	device, err := s.state.Device(ctx, who.device)
	switch {
	case errors.Is(err, state.ErrUnknown):
		return who, failureNotEnlisted
	case err != nil:
		s.log.Err(err).Msg("Failed to check a login")
		return who, failureInternal
	case device.Noise != static:
		return who, failureNotEnlisted
	}
	account, err := s.directory.find(ctx, who.device)
	if err == nil {
		err = s.state.SetLastLogin(ctx, who.device, s.clock.unix())
	}
	if err != nil {
		s.log.Err(err).Msg("Failed to note a login")
		return who, failureInternal
	}
	if !account.IsInterop() {
		who.lid = account.as(false, who.device.Device)
	}
	return who, 0
}

// whoIs returns whom the payload claims to be, nil if it is of neither kind.
func whoIs(payload *waWa6.ClientPayload) *login {
	if payload.Product != nil {
		account := payload.GetInteropData().GetAccountID()
		if account == 0 {
			return nil
		}
		return &login{device: types.JID{User: strconv.FormatUint(account, 10), Server: types.InteropServer}}
	}
	device := payload.GetDevice()
	if payload.GetUsername() == 0 || device > maxDevice {
		return nil
	}
	return &login{device: types.JID{
		User: strconv.FormatUint(payload.GetUsername(), 10), Device: uint16(device), Server: types.DefaultUserServer,
	}}
}

// checkPartner checks what only partner clients prove: product, version, and with the token the ownership of the
// identifier.
func (s *Server) checkPartner(ctx context.Context, payload *waWa6.ClientPayload) (who *login, reason int) {
	who = whoIs(payload)
	if payload.GetProduct() != s.config.Product.wire() {
		return who, failureBadPayload
	}
	version := payload.GetUserAgent().GetAppVersion()
	if (Version{version.GetPrimary(), version.GetSecondary(), version.GetTertiary()}).Less(s.config.MinimumVersion) {
		return who, failureOutdated
	}
	text := string(payload.GetInteropData().GetToken())
	integrator, err := token.Integrator(text)
	var subject string
	if err == nil {
		subject, err = s.verifier.Verify(ctx, text, integrator)
	}
	if reason = s.tokenFailure(err); reason != 0 {
		return who, reason
	}
	who.device.Integrator = integrator
	who.readReceipts = payload.GetInteropData().GetEnableReadReceipts()
	account, err := s.directory.find(ctx, who.device)
	switch {
	case errors.Is(err, state.ErrUnknown):
		return who, failureNotEnlisted
	case err != nil:
		s.log.Err(err).Msg("Failed to check a login")
		return who, failureInternal
	case account.UserVisibleID != subject:
		return who, failureBadToken
	}
	return s.checkAbsence(ctx, who)
}

// checkAbsence un-enlists a user who was away for too long.
func (s *Server) checkAbsence(ctx context.Context, who *login) (*login, int) {
	account, err := s.state.Account(ctx, who.device) // not from the directory, which does not follow logins
	if err == nil && s.clock.unix()-account.LastLogin <= state.Retention {
		return who, 0
	} else if err == nil {
		err = s.removeAccount(ctx, account.JID)
	}
	if err != nil {
		s.log.Err(err).Msg("Failed to check a login")
		return who, failureInternal
	}
	return who, failureNotEnlisted
}

func (s *Server) tokenFailure(err error) int {
	if err == nil && s.faults.tokensExpire() {
		err = token.ErrExpired
	}
	if err != nil {
		s.log.Info().Err(err).Msg("Identity token refused at login")
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, token.ErrExpired):
		return failureExpired
	case errors.Is(err, token.ErrKeysUnavailable):
		return failureUnavailable
	default:
		return failureBadToken
	}
}

// removeAccount erases an account and ends its sessions.
func (s *Server) removeAccount(ctx context.Context, account types.JID) error {
	found, err := s.directory.find(ctx, account)
	if err != nil {
		return err
	}
	if err = s.state.RemoveAccount(ctx, found.JID); err != nil {
		return err
	}
	s.directory.forget(found.JID)
	for _, c := range s.hub.of(found) {
		c.end(removedError())
	}
	return nil
}

// maxDevice is the highest device number of a WhatsApp user: its JIDs have one byte for it.
const maxDevice = 255

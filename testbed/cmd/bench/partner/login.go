package partner

import (
	"context"
	"fmt"
	"strconv"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"google.golang.org/protobuf/proto"

	"postern/interop"
	"postern/interop/wire"
	"postern/testbed/cmd/bench/peer"
)

// Login makes what an account logs in with when there is no interop client. The token in it is good for some minutes.
func (s *Server) Login(ctx context.Context, gatekeeper *interop.Gatekeeper, account interop.Account) (peer.Login, error) {
	token, err := s.tokens.Token(ctx, account.UserVisibleID, gatekeeper.Audience)
	if err != nil {
		return peer.Login{}, err
	}
	number, err := strconv.ParseUint(account.JID.User, 10, 64)
	if err != nil {
		return peer.Login{}, fmt.Errorf("account %s is no number: %w", account.JID, err)
	}
	version := gatekeeper.ProtocolVersion
	payload, err := proto.Marshal(&waWa6.ClientPayload{
		Product: waWa6.ClientPayload_INTEROP.Enum(), Passive: proto.Bool(true), Pull: proto.Bool(true),
		UserAgent: &waWa6.ClientPayload_UserAgent{AppVersion: &waWa6.ClientPayload_UserAgent_AppVersion{
			Primary: &version[0], Secondary: &version[1], Tertiary: &version[2],
		}},
		InteropData: &waWa6.ClientPayload_InteropData{AccountID: &number, Token: []byte(token)},
	})
	if err != nil {
		return peer.Login{}, fmt.Errorf("failed to make the login payload: %w", err)
	}
	return peer.Login{
		URL: gatekeeper.ChatURL.String(), RootKey: gatekeeper.RootKey,
		Static: wire.KeyPair(account.Keys.Noise), Payload: payload,
	}, nil
}

package partner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/interop"
	"postern/provider"
	"postern/testbed/process"
	"postern/testbed/sandbox"
)

const (
	gatekeeperID = "bench"
	domain       = "bench.test"
	integrator   = 1
	audience     = "sandbox"
)

// protocolVersion is what the sandbox asks for by default.
var protocolVersion = [3]uint32{1, 0, 3}

// Server is a partner server with a database. Its methods are safe for concurrent use.
type Server struct {
	tokens   *provider.Provider
	raw      *dbutil.Database
	database *database.Database
	address  string

	stop    context.CancelFunc
	serving sync.WaitGroup
}

// Start opens a database in an empty folder and serves the public keys. The caller must Close the server.
func Start(ctx context.Context, dir string) (*Server, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	s := &Server{address: process.Loopback(port), stop: func() {}}
	if s.raw, err = database.Open(ctx, "sqlite", filepath.Join(dir, "partner.db"), zerolog.Nop()); err != nil {
		return nil, err
	}
	if err = s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	s.database = database.New(s.raw, database.NewSecretKey(), zerolog.Nop())
	err := s.database.Upgrade(ctx)
	if err != nil {
		return err
	}
	s.tokens, err = provider.New(ctx, provider.Options{
		Issuer: s.issuer(), Domain: domain, Keys: s.database.ProviderKeys(),
		Audiences: []provider.Audience{{Name: audience, Integrator: integrator}}, Log: zerolog.Nop(),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("failed to listen for the gatekeeper: %w", err)
	}
	// ctx bounds the start only.
	serveCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.serving.Go(func() { _ = s.tokens.Serve(serveCtx, listener) }) // without it, enlistments fail and say why
	return nil
}

// Close stops serving and closes the database.
func (s *Server) Close() error {
	s.stop()
	s.serving.Wait()
	return s.raw.Close()
}

func (s *Server) issuer() string { return "http://" + s.address }

// Partner is how a gatekeeper's configuration knows this server.
func (s *Server) Partner() sandbox.Partner {
	return sandbox.Partner{Integrator: integrator, Issuer: s.issuer(), Audience: audience}
}

// Gatekeeper describes a gatekeeper as clients need it.
func (s *Server) Gatekeeper(server *sandbox.Server) *interop.Gatekeeper {
	return &interop.Gatekeeper{
		ID: gatekeeperID, Name: "Sandbox", Product: interop.ProductWhatsApp, Integrator: integrator,
		EnlistURL: server.EnlistURL(), ChatURL: server.ChatURL(), RootKey: server.RootKey(),
		Audience: audience, ProtocolVersion: protocolVersion,
	}
}

// Tokens issues the identity tokens of this server's users.
func (s *Server) Tokens() interop.TokenSource { return s.tokens }

// Enlist makes a user known to the gatekeeper and gives it a store in the database, as the bridge does.
func (s *Server) Enlist(
	ctx context.Context, gatekeeper *interop.Gatekeeper, localpart string,
) (interop.Account, *database.AccountStore, error) {
	account := interop.Account{UserVisibleID: "@" + localpart + ":" + domain, Keys: interop.NewKeys()}
	enlistment := &database.Enlistment{
		Gatekeeper: gatekeeper.ID, UserID: account.UserVisibleID, Keys: account.Keys, ConsentAt: time.Now(),
	}
	err := s.database.Enlistments().Create(ctx, enlistment)
	if err != nil {
		return account, nil, err
	}
	if account.JID, err = interop.Enlist(ctx, nil, gatekeeper, s.tokens, account.UserVisibleID, account.Keys); err != nil {
		return account, nil, err
	}
	return account, s.database.AccountStore(enlistment.Account), nil
}

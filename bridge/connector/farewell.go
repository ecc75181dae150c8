package connector

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/id"

	"postern/database"
	"postern/interop"
)

// farewell tells the gatekeeper that a user is gone and returns nil when it knows. It connects with nobody to hand messages
// to: what still waits is not acknowledged, and dropped by the gatekeeper with the account.
func (n *Network) farewell(ctx context.Context, enlistment *database.Enlistment, gatekeeper *interop.Gatekeeper) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if enlistment.JID.IsEmpty() {
		// It was never finished, and the gatekeeper may know the user or not. The same enlistment again tells the account.
		jid, err := interop.Enlist(ctx, n.HTTPClient, gatekeeper, n.Tokens, enlistment.UserID, enlistment.Keys)
		if err != nil && !mayEnlistLater(err) {
			return nil // it does not know the user, and never did
		} else if err != nil {
			return fmt.Errorf("failed to ask for the account: %w", err)
		}
		enlistment.JID = jid
	}
	err := n.sayGoodbye(ctx, enlistment, gatekeeper)
	if errors.Is(err, interop.ErrNotEnlisted) {
		return nil
	}
	return err
}

func (n *Network) sayGoodbye(ctx context.Context, enlistment *database.Enlistment, gatekeeper *interop.Gatekeeper) error {
	handler := newFarewell()
	client := interop.NewClient(n.clientOptions(enlistment, gatekeeper, handler))
	client.Start()
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), DisconnectTimeout)
		defer cancel()
		_ = client.Stop(stopCtx)
	}()
	select {
	case err := <-handler.connected:
		if err != nil {
			return err
		}
		return client.Leave(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// farewellHandler only wants to know when there is a connection, or that there will be none.
type farewellHandler struct{ connected chan error }

func newFarewell() *farewellHandler { return &farewellHandler{connected: make(chan error, 1)} }

var errLeaving = errors.New("the user is leaving")

// HandleEvent implements interop.Handler.
func (h *farewellHandler) HandleEvent(_ context.Context, event interop.Event) error {
	var result error
	switch event := event.(type) {
	case *interop.Connected:
	case *interop.Disconnected:
		return nil // the client tries again
	case *interop.Ended:
		result = event.Err
	default:
		return errLeaving
	}
	select {
	case h.connected <- result:
	default:
	}
	return nil
}

func keyOf(enlistment *database.Enlistment) enlistmentKey {
	return enlistmentKey{enlistment.Gatekeeper, id.UserID(enlistment.UserID)}
}

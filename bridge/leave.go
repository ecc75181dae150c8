package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/id"

	"postern/database"
	"postern/interop"
)

// leaveTimeout bounds one try to leave, connecting included.
const leaveTimeout = time.Minute

// leave tells the gatekeeper that the user is gone and erases the keys. The enlistment is marked first; if the
// gatekeeper cannot be told now, that is tried again, also after a restart, and the keys stay until it knows.
func (n *Network) leave(ctx context.Context, client *Client) {
	log := zerolog.Ctx(ctx)
	if client.enlistment == nil {
		return
	}
	defer n.enlisting.WithLock(enlistmentKey{client.enlistment.Gatekeeper, id.UserID(client.enlistment.UserID)})()
	account := client.enlistment.Account
	if err := n.enlistments.SetState(ctx, account, database.Leaving); err != nil && !errors.Is(err, database.ErrNoEnlistment) {
		log.Err(err).Msg("Failed to note that the user leaves")
	}
	if client.interop == nil {
		if err := n.enlistments.Delete(ctx, account); err != nil {
			log.Err(err).Msg("Failed to erase an enlistment")
		}
		return
	}
	tryCtx, cancel := context.WithTimeout(ctx, leaveTimeout)
	err := client.interop.Leave(tryCtx)
	cancel()
	client.Disconnect()
	if err != nil && !errors.Is(err, interop.ErrNotEnlisted) {
		log.Err(err).Msg("Failed to tell the gatekeeper that the user left, trying again later")
		enlistment, gatekeeper := client.enlistment, client.gatekeeper
		n.spawn(func(ctx context.Context) { n.leaveLater(ctx, enlistment, gatekeeper) })
		return
	}
	if err = n.enlistments.Delete(ctx, account); err != nil {
		log.Err(err).Msg("Failed to erase an enlistment")
	}
}

// leaveLater connects only to say goodbye, until that has worked.
func (n *Network) leaveLater(ctx context.Context, enlistment *database.Enlistment, gatekeeper *interop.Gatekeeper) {
	log := n.log.With().Str("login_id", enlistment.Login).Logger()
	ctx = log.WithContext(ctx)
	for ctx.Err() == nil {
		err := n.leaveOnce(ctx, enlistment, gatekeeper)
		if err == nil {
			log.Info().Msg("The gatekeeper knows that the user left")
			return
		}
		log.Err(err).Msg("Failed to tell the gatekeeper that a user left")
		pause(ctx, unfinishedRetry)
	}
}

func (n *Network) leaveOnce(ctx context.Context, enlistment *database.Enlistment, gatekeeper *interop.Gatekeeper) error {
	defer n.enlisting.WithLock(enlistmentKey{gatekeeper.ID, id.UserID(enlistment.UserID)})()
	current, err := n.enlistments.Find(ctx, gatekeeper.ID, enlistment.UserID)
	if errors.Is(err, database.ErrNoEnlistment) || (err == nil && (current.Account != enlistment.Account || current.State != database.Leaving)) {
		return nil // the user enlisted again, which replaced the old keys
	} else if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	err = n.farewell(ctx, current, gatekeeper)
	if err != nil && !errors.Is(err, interop.ErrNotEnlisted) {
		return err
	}
	return n.enlistments.Delete(ctx, current.Account)
}

// farewell connects with nobody to hand messages to: what still waits is not acknowledged, and dropped by the
// gatekeeper with the account.
func (n *Network) farewell(ctx context.Context, enlistment *database.Enlistment, gatekeeper *interop.Gatekeeper) error {
	handler := newFarewell()
	client := interop.NewClient(n.clientOptions(enlistment, gatekeeper, handler, *zerolog.Ctx(ctx)))
	client.Start()
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), disconnectTimeout)
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

// farewellHandler only wants to know when there is a connection.
type farewellHandler struct{ connected chan error }

func newFarewell() *farewellHandler { return &farewellHandler{connected: make(chan error, 1)} }

var errLeaving = errors.New("the user is leaving")

// HandleEvent implements interop.Handler.
func (h *farewellHandler) HandleEvent(_ context.Context, event interop.Event) error {
	var result error
	switch event := event.(type) {
	case *interop.Connected:
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

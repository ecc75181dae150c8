package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/users"
	"postern/database"
)

// An admin can suspend a user: the user is disconnected and stays so, what they write is refused, and they cannot enlist. Nothing is
// erased, and leaving, erasing and exporting go on to work. A gatekeeper forgets who did not connect for 30 days, and nobody connects
// for the sake of a suspended user; one who comes back after that enlists again, and the chats go on.

// suspended are the users who are suspended and why, as far as this process knows. Safe for concurrent use.
type suspended struct {
	lock    sync.RWMutex
	reasons map[id.UserID]string
}

func (s *suspended) reason(user id.UserID) (string, bool) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	reason, ok := s.reasons[user]
	return reason, ok
}

// replace returns who is suspended since, and who is no more.
func (s *suspended) replace(reasons map[id.UserID]string) (since, over []id.UserID) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for user := range reasons {
		if _, before := s.reasons[user]; !before {
			since = append(since, user)
		}
	}
	for user := range s.reasons {
		if _, still := reasons[user]; !still {
			over = append(over, user)
		}
	}
	s.reasons = reasons
	return since, over
}

// suspend suspends a user and returns when they are disconnected. Errors: [users.ErrSuspendedAlready].
func (n *Network) suspend(ctx context.Context, user id.UserID, reason string, actor id.UserID) error {
	if err := users.Suspend(ctx, n.Database, user, reason, actor.String()); err != nil {
		return err
	}
	return n.followSuspensions(ctx)
}

// unsuspend ends a suspension, and connects the user. Errors: [users.ErrNotSuspended].
func (n *Network) unsuspend(ctx context.Context, user, actor id.UserID) error {
	if err := users.Unsuspend(ctx, n.Database, user, actor.String()); err != nil {
		return err
	}
	return n.followSuspensions(ctx)
}

// LoadSuspensions comes before any login can be loaded.
func (n *Network) LoadSuspensions(ctx context.Context) error {
	_, _, err := n.readSuspensions(ctx)
	return err
}

func (n *Network) readSuspensions(ctx context.Context) (since, over []id.UserID, err error) {
	all, err := n.Database.Suspensions().All(ctx)
	if err != nil {
		return nil, nil, err
	}
	reasons := make(map[id.UserID]string, len(all))
	for _, suspension := range all {
		reasons[id.UserID(suspension.UserID)] = suspension.Reason
	}
	since, over = n.suspended.replace(reasons)
	return since, over, nil
}

// watchSuspensions looks for what somebody else stored, with `postern suspend`, until ctx ends.
func (n *Network) watchSuspensions(ctx context.Context) {
	for ctx.Err() == nil {
		n.lookForSuspensions(ctx)
		pause(ctx, leavingPoll)
	}
}

func (n *Network) lookForSuspensions(ctx context.Context) {
	if err := n.followSuspensions(ctx); err != nil && ctx.Err() == nil {
		n.log.Err(err).Msg("Failed to look for suspended users")
	}
}

// FollowSuspensionsSoon lets what was stored take effect now, without waiting for it. It returns at once.
func (n *Network) FollowSuspensionsSoon() { n.Spawn(n.lookForSuspensions) }

// followSuspensions disconnects those who are suspended since, and connects those who are not any more.
func (n *Network) followSuspensions(ctx context.Context) error {
	n.suspending.Lock()
	defer n.suspending.Unlock()
	since, over, err := n.readSuspensions(ctx)
	for _, user := range since {
		n.endSuspended(ctx, user)
		reason, _ := n.suspended.reason(user)
		n.log.Info().Stringer("user_id", user).Msg("A user is suspended")
		n.tell(ctx, user, textSuspended(reason))
	}
	for _, user := range over {
		n.log.Info().Stringer("user_id", user).Msg("A user is not suspended any more")
		n.tell(ctx, user, textUnsuspended)
		n.startUnsuspended(ctx, user)
	}
	return err
}

// endSuspended disconnects a user. Logins that are loaded from now on do not connect.
func (n *Network) endSuspended(ctx context.Context, user id.UserID) {
	n.eachEnlistment(ctx, user, func(enlistment *database.Enlistment) error {
		n.calls.end(enlistment.Account)
		client := n.client(loginID(enlistment))
		if client == nil || client.enlistment == nil || client.enlistment.State != database.Enlisted {
			return nil
		}
		client.end()
		client.Disconnect()
		client.login.BridgeState.Send(bannedState(n.reasonOf(user)))
		return nil
	})
}

func (n *Network) startUnsuspended(ctx context.Context, user id.UserID) {
	n.eachEnlistment(ctx, user, func(enlistment *database.Enlistment) error {
		entry := n.gatekeeper(enlistment.Gatekeeper)
		if entry == nil || enlistment.State != database.Enlisted {
			return nil
		}
		bridgeUser, err := n.bridge.GetUserByMXID(ctx, user)
		if err != nil {
			return fmt.Errorf("failed to load the user: %w", err)
		}
		_, err = n.finishEnlisting(ctx, bridgeUser, entry.Gatekeeper, enlistment)
		return err
	})
}

// eachEnlistment does something with all enlistments of a user, each with its lock held, and logs if that fails.
func (n *Network) eachEnlistment(ctx context.Context, user id.UserID, do func(*database.Enlistment) error) {
	log := n.log.With().Stringer("user_id", user).Logger()
	ctx = log.WithContext(ctx)
	for _, entry := range n.Gatekeepers {
		err := func() error {
			defer n.enlisting.WithLock(enlistmentKey{entry.ID, user})()
			enlistment, err := n.enlistments.Find(ctx, entry.ID, user.String())
			if errors.Is(err, database.ErrNoEnlistment) {
				return nil
			} else if err != nil {
				return err
			}
			return do(enlistment)
		}()
		if err != nil {
			zerolog.Ctx(ctx).Err(err).Str("gatekeeper", entry.ID).Msg("Failed to follow a suspension")
		}
	}
}

func (n *Network) isSuspended(standing database.Standing) bool {
	_, ok := n.suspended.reason(id.UserID(standing.UserID))
	return ok
}

// reasonOf is why a user is suspended; "" if nobody knows.
func (n *Network) reasonOf(user id.UserID) string {
	reason, _ := n.suspended.reason(user)
	return reason
}

// Explain has a better sentence than bridgev2 for why an event was not bridged; "" if it has none. Who is suspended is told so also
// while the bridge starts, when bridgev2 does not know the login's state yet.
func (n *Network) Explain(err error, about event.Type, sender id.UserID) string {
	if reason, ok := n.suspended.reason(sender); ok && errors.Is(err, bridgev2.ErrNotLoggedIn) {
		return textBanned(reason)
	}
	return explainStatus(err, about)
}

// textSuspended is what a user reads who is suspended.
func textSuspended(reason string) string {
	return textBanned(reason) + " Nothing is sent or received until they end that, and nothing is erased: `export` shows what is stored about you, " +
		"and `logout` and `erase` work. What people write to you meanwhile waits at the gatekeeper. A gatekeeper forgets you after 30 days without a " +
		"connection; if that happens, you have to enlist again afterwards, and your chats go on."
}

// textBanned is the short form, for who tries to do something.
func textBanned(reason string) string {
	if reason == "" {
		return "The administrator of this bridge has suspended you."
	}
	return fmt.Sprintf("The administrator of this bridge has suspended you: %s.", strings.TrimRight(reason, ". "))
}

const textUnsuspended = "Your suspension is over: the bridge connects you again. If a gatekeeper has forgotten you meanwhile, I will tell you."

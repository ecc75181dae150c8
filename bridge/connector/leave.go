package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/bridge/users"
	"postern/database"
)

// A user leaves in steps. Each can be repeated, and what is done is stored, so that after a kill the next start goes on:
//
//  1. the enlistment is marked as leaving, from where there is no way back;
//  2. the gatekeeper is told, and that it knows is stored;
//  3. the chats end, one after the other: the room is left, the rows are deleted; then the login goes, and hosted files;
//  4. the enlistment is deleted, and with it the keys.
//
// A gatekeeper that cannot be told now does not hold up step 3, only the keys stay until it knows. A homeserver that is
// away does not hold up step 2.

const (
	// leaveTimeout bounds one try to tell the gatekeeper. The client connects several times within it, if need be.
	leaveTimeout = 20 * time.Second
	// leavingPoll is how often to look for users whom someone else marked, with `postern erase`.
	leavingPoll = 20 * time.Second
)

// MediaEraser is the part of the partner server that forgets a user's files.
type MediaEraser interface {
	// ForgetMedia deletes the hosted files of an owner, who is named by the login's id.
	ForgetMedia(ctx context.Context, owner string) error
}

// errSuperseded: somebody else finished leaving, or the user enlisted again, which erased the old chats.
var errSuperseded = errors.New("the enlistment is gone already")

// leave marks the enlistment and returns; the rest is done beside that, and the user is told of its outcome.
func (n *Network) leave(ctx context.Context, enlistment *database.Enlistment) error {
	if err := n.markLeaving(ctx, enlistment); err != nil {
		return err
	}
	n.goOnLeaving(enlistment)
	return nil
}

// markLeaving is the step from which there is no way back.
func (n *Network) markLeaving(ctx context.Context, enlistment *database.Enlistment) error {
	if err := n.enlistments.MarkLeaving(ctx, enlistment.Account); err != nil {
		return fmt.Errorf("failed to note that a user leaves: %w", err)
	}
	n.audit.Note(ctx, audit.Leave, id.UserID(enlistment.UserID), audit.Of(enlistment))
	return nil
}

// watchLeaving looks for users who want out until ctx ends.
func (n *Network) watchLeaving(ctx context.Context) {
	for ctx.Err() == nil {
		enlistments, err := n.enlistments.Leaving(ctx)
		if err != nil && ctx.Err() == nil {
			n.log.Err(err).Msg("Failed to look for users who leave")
		}
		for _, enlistment := range enlistments {
			n.goOnLeaving(enlistment)
		}
		pause(ctx, leavingPoll)
	}
}

// goOnLeaving does what is left to do for a user who is marked, in a goroutine of its own and only one for each. It is
// tried until it has worked.
func (n *Network) goOnLeaving(enlistment *database.Enlistment) {
	n.Spawn(func(ctx context.Context) {
		if _, busy := n.leaving.LoadOrStore(enlistment.Account, true); busy {
			return
		}
		defer n.leaving.Delete(enlistment.Account)
		log := n.log.With().Str("login_id", enlistment.Login).Str("user_id", enlistment.UserID).Logger()
		ctx = log.WithContext(ctx)
		for try := 0; ctx.Err() == nil; try++ {
			err := n.leaveOnce(ctx, enlistment.Account, keyOf(enlistment))
			switch {
			case errors.Is(err, errSuperseded):
				return
			case err == nil:
				log.Info().Msg("A user left, all is erased")
				n.audit.Note(ctx, audit.Erased, "", audit.Of(enlistment))
				n.tell(ctx, id.UserID(enlistment.UserID), textLeft(n.gatekeeperName(enlistment.Gatekeeper), n.gatekeeper(enlistment.Gatekeeper) != nil))
				return
			case ctx.Err() != nil:
				return
			}
			log.Err(err).Msg("A user leaves, and something is left to be done")
			if noteErr := users.NoteNextTry(ctx, n.kv, enlistment.Account, time.Now().Add(unfinishedRetry)); noteErr != nil {
				log.Err(noteErr).Msg("Failed to note when it is tried next")
			}
			if try == 1 { // one try may fail for a restart of a server
				n.eraseFailed(enlistment.UserID, n.gatekeeperName(enlistment.Gatekeeper))
			}
			if try == 0 {
				n.tell(ctx, id.UserID(enlistment.UserID), textLeaving(n.gatekeeperName(enlistment.Gatekeeper), err))
			}
			pause(ctx, unfinishedRetry)
		}
	})
}

// farewellError: the gatekeeper could not be told.
type farewellError struct{ cause error }

func (e *farewellError) Error() string {
	return "failed to tell the gatekeeper that a user left: " + e.cause.Error()
}
func (e *farewellError) Unwrap() error { return e.cause }

// leaveOnce does all steps that can be done now. nil means that nothing is left.
func (n *Network) leaveOnce(ctx context.Context, account database.AccountID, key enlistmentKey) error {
	defer n.enlisting.WithLock(key)()
	enlistment, err := n.enlistments.Find(ctx, key.gatekeeper, key.user.String())
	if errors.Is(err, database.ErrNoEnlistment) || (err == nil && (enlistment.Account != account || enlistment.State != database.Leaving)) {
		return errSuperseded
	} else if err != nil {
		return err
	}
	n.endClient(ctx, enlistment)
	var problems []error
	if entry := n.gatekeeper(enlistment.Gatekeeper); entry != nil && !enlistment.Told {
		if err = n.farewell(ctx, enlistment, entry.Gatekeeper); err == nil {
			err = n.enlistments.MarkTold(ctx, account)
		}
		if err != nil {
			problems = append(problems, &farewellError{err})
		}
	} // one that is not in the config any more cannot be told: it forgets the user after 30 days
	if err = n.eraseChats(ctx, enlistment); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	return n.deleteEnlistment(ctx, account)
}

// eraseChats is step 3: all that is personal but the enlistment itself. The enlistment's lock is held.
func (n *Network) eraseChats(ctx context.Context, enlistment *database.Enlistment) error {
	// A user who lapsed and did not finish enlisting again has a login that the enlistment does not name.
	logins, err := users.LoginsAt(ctx, n.records, id.UserID(enlistment.UserID), enlistment.Gatekeeper)
	if err != nil {
		return err
	}
	if login := loginID(enlistment); login != "" && !slices.Contains(logins, login) {
		logins = append(logins, login) // its row may be gone already
	}
	for _, login := range logins {
		if err = n.eraseLogin(ctx, login); err != nil {
			return err
		}
	}
	return n.enlistments.EraseChats(ctx, enlistment.Account)
}

// endClient ends the connection and lets nothing more into the outbox. The senders of what is there are told that it
// is not sent.
func (n *Network) endClient(ctx context.Context, enlistment *database.Enlistment) {
	client := n.client(loginID(enlistment))
	if client == nil || client.enlistment == nil || client.enlistment.Account != enlistment.Account {
		return
	}
	client.quit(ctx)
}

// quit ends the connection and tells the senders of what is in the outbox that it is not sent, as long as there are rooms to
// tell them in.
func (c *Client) quit(ctx context.Context) {
	c.end()
	c.Disconnect()
	if c.gatekeeper == nil || c.enlistment == nil {
		return // then nothing can be said about chats
	}
	if err := c.giveUpNow(ctx); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("Failed to tell a user who leaves which messages are not sent")
	}
}

// client returns the client of a login that is loaded, otherwise nil.
func (n *Network) client(login networkid.UserLoginID) *Client {
	if found := n.bridge.GetCachedUserLoginByID(login); found != nil {
		client, _ := found.Client.(*Client)
		return client
	}
	return nil
}

// end lets no more messages into the outbox.
func (c *Client) end() {
	c.sending.Lock()
	c.ended.Store(true)
	c.sending.Unlock()
	if c.attendance != nil {
		c.attendance.Close()
	}
}

// gatekeeperName is what users call a gatekeeper, which may not be in the config any more.
func (n *Network) gatekeeperName(gatekeeper string) string {
	if entry := n.gatekeeper(gatekeeper); entry != nil {
		return entry.Name
	}
	return gatekeeper
}

// LogoutRemote implements bridgev2.NetworkAPI: the user leaves by another way than the command, such as the provisioning
// interface. bridgev2 deletes the login after it; what else there is to do is done beside that.
func (c *Client) LogoutRemote(ctx context.Context) {
	c.quit(ctx) // before bridgev2 forgets the login
	var err error
	if c.enlistment != nil {
		err = c.network.leave(ctx, c.enlistment)
	} else {
		c.network.Spawn(func(ctx context.Context) {
			if err := c.network.eraseLogin(ctx, c.login.ID); err != nil {
				c.login.Log.Err(err).Msg("Failed to erase a login that has no enlistment")
			}
		})
	}
	if err != nil && !errors.Is(err, database.ErrNoEnlistment) {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to let a user leave")
	}
}

// deleteEnlistment is the last step of leaving.
func (n *Network) deleteEnlistment(ctx context.Context, account database.AccountID) error {
	if err := users.ForgetNextTry(ctx, n.kv, account); err != nil {
		return err
	}
	return n.enlistments.Delete(ctx, account)
}

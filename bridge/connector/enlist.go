package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/bridge/consent"
	"postern/database"
	"postern/interop"
	"postern/portal"
)

const (
	// enlistTimeout bounds one try to enlist.
	enlistTimeout = time.Minute
	// unfinishedRetry is the pause between two tries to finish what an earlier run began.
	unfinishedRetry = 5 * time.Minute
)

// enlist makes the user known to the gatekeeper and gives them a login. Each step is stored before the next, so that a
// crash leaves something to go on with:
//
//  1. the keys and the consent, as "enlisting";
//  2. the gatekeeper gets these keys, which can be repeated;
//  3. its answer, as "enlisted";
//  4. bridgev2's login, which is made from 3 at the next start if it is missing.
//
// given is what the user said yes to.
func (n *Network) enlist(ctx context.Context, user *bridgev2.User, gatekeeper *interop.Gatekeeper, given answers) (*bridgev2.UserLogin, error) {
	defer n.enlisting.WithLock(enlistmentKey{gatekeeper.ID, user.MXID})()
	enlistment, err := n.findOrCreate(ctx, user.MXID, gatekeeper, given)
	if err != nil {
		return nil, err
	}
	return n.finishEnlisting(ctx, user, gatekeeper, enlistment)
}

// findOrCreate returns the enlistment to go on with. One that ended, or was about to, makes place for a new one.
func (n *Network) findOrCreate(
	ctx context.Context, user id.UserID, gatekeeper *interop.Gatekeeper, given answers,
) (*database.Enlistment, error) {
	enlistment, err := n.enlistments.Find(ctx, gatekeeper.ID, user.String())
	var lapsed *database.Enlistment
	switch {
	case errors.Is(err, database.ErrNoEnlistment):
		err = nil
	case err != nil:
	case enlistment.State == database.Enlisting, enlistment.State == database.Enlisted:
		if !given.eeaAt.IsZero() {
			if err = n.enlistments.Declare(ctx, enlistment.Account, consent.Current(consent.EEA), given.eeaAt); err == nil {
				n.noteEEA(ctx, user, gatekeeper.ID)
			}
		}
		return enlistment, err
	case enlistment.State == database.Leaving:
		// What the user wanted to be erased is erased. New keys take the place of the old ones at the gatekeeper.
		if err = n.eraseChats(ctx, enlistment); err == nil {
			err = n.deleteEnlistment(ctx, enlistment.Account)
		}
	default: // the chats of one who lapsed go on in their rooms, by what the user decided
		lapsed = enlistment
	}
	if err != nil {
		return nil, err
	}
	enlistment = &database.Enlistment{
		Gatekeeper:     gatekeeper.ID,
		UserID:         user.String(),
		Keys:           interop.NewKeys(),
		State:          database.Enlisting,
		ConsentVersion: consent.Current(consent.Enlist),
		ConsentAt:      given.consentAt,
	}
	if !given.eeaAt.IsZero() {
		enlistment.EEAVersion, enlistment.EEAAt = consent.Current(consent.EEA), given.eeaAt
	}
	if lapsed != nil {
		err = n.enlistments.Renew(ctx, lapsed.Account, enlistment)
	} else {
		err = n.enlistments.Create(ctx, enlistment)
	}
	if err != nil {
		return nil, err
	}
	n.audit.Note(ctx, audit.Consent, user, audit.About{User: user, Gatekeeper: gatekeeper.ID, Subject: fmt.Sprintf("version %d", enlistment.ConsentVersion)})
	if enlistment.EEAVersion > 0 {
		n.noteEEA(ctx, user, gatekeeper.ID)
	}
	return enlistment, nil
}

// finishEnlisting brings an enlistment from wherever it stands to a connected login. The enlistment's lock is held.
func (n *Network) finishEnlisting(
	ctx context.Context, user *bridgev2.User, gatekeeper *interop.Gatekeeper, enlistment *database.Enlistment,
) (*bridgev2.UserLogin, error) {
	if enlistment.State == database.Enlisting {
		tryCtx, cancel := context.WithTimeout(ctx, enlistTimeout)
		jid, err := interop.Enlist(tryCtx, n.HTTPClient, gatekeeper, n.Tokens, user.MXID.String(), enlistment.Keys)
		cancel()
		if err != nil {
			if isOutdated(err) {
				n.outdated(gatekeeper)
			} else if isTokenRefused(err) {
				n.tokenRefused(gatekeeper)
			}
			if !mayEnlistLater(err) {
				err = errors.Join(err, n.enlistments.Delete(ctx, enlistment.Account))
			}
			return nil, fmt.Errorf("failed to enlist: %w", err)
		}
		login, err := newLoginID(user, gatekeeper, jid)
		if err != nil {
			return nil, fmt.Errorf("the gatekeeper gave an unusable account: %w", err)
		}
		if err = n.enlistments.MarkEnlisted(ctx, enlistment.Account, jid, string(login)); err != nil {
			return nil, err
		}
		enlistment.State, enlistment.JID, enlistment.Login = database.Enlisted, jid, string(login)
		zerolog.Ctx(ctx).Info().Str("login_id", enlistment.Login).Stringer("user_id", user.MXID).Msg("Enlisted with a gatekeeper")
		n.audit.Note(ctx, audit.Enlist, user.MXID, audit.Of(enlistment))
	}
	login := loginID(enlistment)
	if _, _, err := portal.ParseLoginID(login); err != nil {
		return nil, fmt.Errorf("stored login is unusable: %w", err)
	}
	if existing := n.bridge.GetCachedUserLoginByID(login); existing != nil {
		client, ok := existing.Client.(*Client)
		if ok && client.serves(enlistment.Account) {
			return existing, nil
		} else if ok {
			client.Disconnect() // NewLogin puts a new one in its place
		}
	}
	userLogin, err := user.NewLogin(ctx, &mxdatabase.UserLogin{
		ID:            login,
		RemoteName:    gatekeeper.Name,
		RemoteProfile: status.RemoteProfile{Name: user.MXID.String()},
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to make a login: %w", err)
	}
	userLogin.Client.Connect(userLogin.Log.WithContext(context.WithoutCancel(ctx)))
	return userLogin, nil
}

// newLoginID names a login after the account that the gatekeeper gave, unless the user has one from an enlistment that ended: it
// is used again, whatever the new account is, since the user's chats belong to it.
func newLoginID(user *bridgev2.User, gatekeeper *interop.Gatekeeper, jid types.JID) (networkid.UserLoginID, error) {
	for _, login := range user.GetUserLogins() {
		if of, _, err := portal.ParseLoginID(login.ID); err == nil && of == gatekeeper.ID {
			return login.ID, nil
		}
	}
	return portal.LoginID(gatekeeper.ID, jid)
}

// resume finishes what earlier runs began: enlistments without an answer, answers without a login, and farewells that
// the gatekeeper does not know of. It returns at once.
func (n *Network) resume(ctx context.Context) {
	enlistments, err := n.enlistments.List(ctx)
	if err != nil {
		n.log.Err(err).Msg("Failed to look for unfinished enlistments")
		return
	}
	for _, enlistment := range enlistments {
		entry := n.gatekeeper(enlistment.Gatekeeper)
		switch {
		case enlistment.State == database.Leaving:
			n.goOnLeaving(enlistment)
		case entry == nil:
			// The admin took it out; its users are told by their login's state.
		case enlistment.State == database.Enlisting, enlistment.State == database.Enlisted && !n.hasLogin(ctx, enlistment):
			n.Spawn(func(ctx context.Context) { n.enlistLater(ctx, enlistment, entry.Gatekeeper) })
		}
	}
}

// hasLogin tells whether there is a login, which need not be loaded.
func (n *Network) hasLogin(ctx context.Context, enlistment *database.Enlistment) bool {
	gatekeeper, _, err := portal.ParseLoginID(loginID(enlistment))
	if err != nil || gatekeeper != enlistment.Gatekeeper {
		return false
	} else if n.bridge.GetCachedUserLoginByID(loginID(enlistment)) != nil {
		return true
	}
	login, err := n.bridge.DB.UserLogin.GetByID(ctx, loginID(enlistment))
	return err == nil && login != nil
}

// enlistLater tries until there is an answer, and tells the user about it.
func (n *Network) enlistLater(ctx context.Context, enlistment *database.Enlistment, gatekeeper *interop.Gatekeeper) {
	log := n.log.With().Str("user_id", enlistment.UserID).Str("gatekeeper", gatekeeper.ID).Logger()
	for ctx.Err() == nil {
		err := n.enlistAgain(ctx, enlistment, gatekeeper)
		if err == nil {
			log.Info().Msg("Finished an enlistment that an earlier run began")
			n.tell(ctx, id.UserID(enlistment.UserID), textWelcome(gatekeeper))
			return
		}
		log.Err(err).Msg("Failed to finish an enlistment")
		if !mayEnlistLater(err) {
			n.tell(ctx, id.UserID(enlistment.UserID), textEnlistFailed(gatekeeper, err))
			return
		}
		pause(ctx, unfinishedRetry)
	}
}

func (n *Network) enlistAgain(ctx context.Context, enlistment *database.Enlistment, gatekeeper *interop.Gatekeeper) error {
	user, err := n.bridge.GetUserByMXID(ctx, id.UserID(enlistment.UserID))
	if err != nil {
		return fmt.Errorf("failed to load the user: %w", err)
	}
	defer n.enlisting.WithLock(enlistmentKey{gatekeeper.ID, user.MXID})()
	current, err := n.enlistments.Find(ctx, gatekeeper.ID, enlistment.UserID)
	if errors.Is(err, database.ErrNoEnlistment) || (err == nil && current.Account != enlistment.Account) {
		return nil // the user began anew in the meantime
	} else if err != nil {
		return err
	}
	_, err = n.finishEnlisting(ctx, user, gatekeeper, current)
	return err
}

// tell sends the user a notice and logs if that fails.
func (n *Network) tell(ctx context.Context, user id.UserID, text string) {
	if err := n.TellUser(ctx, user, text); err != nil {
		n.log.Err(err).Stringer("user_id", user).Msg("Failed to tell a user something")
	}
}

// say sends a notice of the bridge into the room of a chat and logs if that fails.
func (n *Network) say(ctx context.Context, room id.RoomID, text string) {
	content := &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgNotice, Body: text, Mentions: &event.Mentions{}}}
	if _, err := n.Matrix.BotIntent().SendMessage(ctx, room, event.EventMessage, content, nil); err != nil {
		zerolog.Ctx(ctx).Err(err).Stringer("room_id", room).Msg("Failed to send a notice into a chat")
	}
}

func pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

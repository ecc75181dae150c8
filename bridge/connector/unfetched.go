package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/database"
	"postern/interop"
	"postern/portal"
)

// A message whose file could not be had is kept, sealed, under its id, and a notice in the room takes its place. The
// user can have the file fetched again: with a reaction to the notice or with the command retry.

const (
	// unfetchedAge is how long such a message is kept. Media hosts keep files for 30 days.
	unfetchedAge = 30 * 24 * time.Hour
	// maxRetries bounds how many files one command fetches again, the newest.
	maxRetries = 50
)

// unfetchedMessage is the stored form of a message whose file could not be had.
type unfetchedMessage struct {
	Time    time.Time `json:"time"`
	Message []byte    `json:"message"` // waE2E.Message
}

// unfetched is the table of this enlistment.
func (c *Client) unfetched() *database.Unfetched {
	return c.network.Database.Unfetched(c.enlistment.Account)
}

// keepUnfetched stores the message and turns it into a notice about the trouble.
func (c *Client) keepUnfetched(ctx context.Context, msg *remoteMessage, trouble error) error {
	why := textFileTrouble(c.gatekeeperName(), c.maxFile(), trouble)
	zerolog.Ctx(ctx).Warn().Err(trouble).Str(fieldMessage, msg.rawID()).Str("kind", portal.Kind(msg.message)).
		Msg("A contact's file cannot be had, a notice takes its place")
	if errors.Is(trouble, interop.ErrMediaInvalid) {
		msg.instead = portal.Unfetched(msg.message, why, "") // another try would find the same
		return nil
	}
	serialized, err := proto.Marshal(msg.message)
	if err != nil {
		return fmt.Errorf("failed to serialize a message whose file cannot be had: %w", err)
	}
	data, err := json.Marshal(unfetchedMessage{Time: msg.at, Message: serialized})
	if err != nil {
		return fmt.Errorf("failed to serialize a message whose file cannot be had: %w", err)
	}
	if err = c.unfetched().PutUnfetched(ctx, string(msg.id), data); err != nil {
		return err
	}
	msg.instead = portal.Unfetched(msg.message, why, c.network.CommandPrefix)
	return nil
}

// findUnfetched returns the message that waits for its file under the id; nil if there is none.
func (c *Client) findUnfetched(ctx context.Context, messageID networkid.MessageID) (*remoteMessage, error) {
	data, err := c.unfetched().Unfetched(ctx, string(messageID))
	if err != nil || data == nil {
		return nil, err
	}
	var stored unfetchedMessage
	if err = json.Unmarshal(data, &stored); err != nil {
		return nil, errors.New("failed to read a message whose file could not be had")
	}
	message := new(waE2E.Message)
	if err = proto.Unmarshal(stored.Message, message); err != nil {
		return nil, errors.New("failed to read a message whose file could not be had")
	}
	_, contact, _, err := portal.ParseMessageID(messageID)
	if err != nil {
		return nil, err
	}
	return &remoteMessage{
		remoteEvent: remoteEvent{client: c, key: portal.Key(c.login.ID, contact), sender: contact, at: stored.Time},
		id:          messageID,
		message:     message,
	}, nil
}

// errNotWaiting: there is no message under the id that waits for its file.
var errNotWaiting = errors.New("no file of this message is missing")

// retryFile fetches a message's file again. If that works, the message takes the place of its notice. Two calls for one
// message do it once.
func (c *Client) retryFile(ctx context.Context, messageID networkid.MessageID) error {
	defer c.network.retries.WithLock(messageID)()
	msg, err := c.findUnfetched(ctx, messageID)
	if err != nil {
		return err
	} else if msg == nil {
		return errNotWaiting
	}
	trouble, err := c.prepare(ctx, msg)
	if err == nil {
		err = trouble
	}
	if err != nil {
		return err
	}
	if err = c.queueMessage(msg); err != nil {
		return err
	}
	c.login.Log.Info().Str(fieldMessage, msg.rawID()).Msg("The file of a message was fetched after all")
	return c.unfetched().DeleteUnfetched(ctx, string(messageID))
}

// retryInBackground answers a reaction: if the file still cannot be had, a notice says why.
func (c *Client) retryInBackground(messageID networkid.MessageID, key networkid.PortalKey) {
	c.network.Spawn(func(ctx context.Context) {
		log := c.login.Log.With().Str(fieldMessage, RawMessageID(messageID)).Logger()
		ctx = log.WithContext(ctx)
		err := c.retryFile(ctx, messageID)
		if err == nil || ctx.Err() != nil {
			return
		}
		log.Warn().Err(err).Msg("A file could not be had again")
		if room, roomErr := c.room(ctx, key); roomErr == nil && room != "" {
			c.network.say(ctx, room, textRetryFailed(c.gatekeeperName(), c.maxFile(), err))
		}
	})
}

// forgetOldUnfetched erases what is too old to be fetched.
func (c *Client) forgetOldUnfetched(ctx context.Context) {
	if err := c.unfetched().PruneUnfetched(ctx, time.Now().Add(-unfetchedAge)); err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to forget old messages whose files could not be had")
	}
}

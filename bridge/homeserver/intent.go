package homeserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// ErrNotEncrypted: the room of a chat is not encrypted, so nothing is sent into it.
var ErrNotEncrypted = errors.New("the room is not encrypted")

// ErrTokenLogin: double puppeting by a user's own access token is not offered, because it would have to be stored.
var ErrTokenLogin = errors.New("access tokens of users are not taken; the administrator can set double_puppet in the config instead")

// Intent acts as one Matrix user.
type Intent struct {
	*matrix.ASIntent
	connector *Connector
}

var (
	_ bridgev2.MatrixAPI         = (*Intent)(nil)
	_ bridgev2.MarkAsDMMatrixAPI = (*Intent)(nil)
)

func (c *Connector) wrap(intent *matrix.ASIntent) *Intent {
	return &Intent{ASIntent: intent, connector: c}
}

// GhostIntent implements bridgev2.MatrixConnector.
func (c *Connector) GhostIntent(user networkid.UserID) bridgev2.MatrixAPI {
	return c.wrap(&matrix.ASIntent{Matrix: c.AS.Intent(c.FormatGhostMXID(user)), Connector: c.Connector})
}

// NewUserIntent implements bridgev2.MatrixConnector. It offers what the double_puppet registration allows and refuses
// access tokens: bridgev2 would keep them in the clear.
func (c *Connector) NewUserIntent(ctx context.Context, user id.UserID, token string) (bridgev2.MatrixAPI, string, error) {
	if token != "" && token != configuredDoublePuppet {
		return nil, "", ErrTokenLogin
	}
	api, newToken, err := c.Connector.NewUserIntent(ctx, user, token)
	intent, ok := api.(*matrix.ASIntent)
	if err != nil || !ok {
		return nil, newToken, err
	}
	return c.wrap(intent), newToken, nil
}

// configuredDoublePuppet is what mautrix stores instead of a token when the config has one for all users.
const configuredDoublePuppet = "appservice-config"

// PresetNone in a request to make a room says that none is wanted, which only whoever fills the request knows.
const PresetNone = "org.postern.none"

// CreateRoom implements bridgev2.MatrixAPI. Of a request with [PresetNone] the result is "".
func (i *Intent) CreateRoom(ctx context.Context, request *mautrix.ReqCreateRoom) (id.RoomID, error) {
	if request.Preset == PresetNone {
		return "", nil
	}
	return i.ASIntent.CreateRoom(ctx, request)
}

// SendMessage implements bridgev2.MatrixAPI. Into an encrypted room everything goes encrypted, except for redactions
// and reactions, which have no encrypted form; into a portal that is not encrypted nothing goes at all.
func (i *Intent) SendMessage(
	ctx context.Context, room id.RoomID, kind event.Type, content *event.Content, extra *bridgev2.MatrixSendExtra,
) (*mautrix.RespSendEvent, error) {
	answer, err := i.send(ctx, room, kind, content, extra)
	if failure, ok := ctx.Value(failureKey{}).(*Failure); ok && err != nil {
		failure.Err = err
	}
	if err == nil {
		SentOf(ctx).note(room, answer.EventID)
	}
	return answer, err
}

// SendState implements bridgev2.MatrixAPI. A contact who comes into a room has an encryption device by then.
func (i *Intent) SendState(
	ctx context.Context, room id.RoomID, kind event.Type, key string, content *event.Content, at time.Time,
) (*mautrix.RespSendEvent, error) {
	member, ok := content.Parsed.(*event.MemberEventContent)
	if ok && kind == event.StateMember && (member.Membership == event.MembershipInvite || member.Membership == event.MembershipJoin) {
		i.connector.crypto.prepare(ctx, id.UserID(key))
	}
	sent, err := i.ASIntent.SendState(ctx, room, kind, key, content, at)
	if err == nil && ok && kind == event.StateMember && member.Membership == event.MembershipJoin {
		i.connector.joined(room, id.UserID(key))
	}
	return sent, err
}

// SetDisplayName implements bridgev2.MatrixAPI. A contact gets a name before a room is made, and the encryption device is made
// meanwhile.
func (i *Intent) SetDisplayName(ctx context.Context, name string) error {
	if err := i.Matrix.EnsureRegistered(ctx); err != nil { // before there are two who find out, for mautrix notes it without a lock
		return fmt.Errorf("failed to register a contact: %w", err)
	}
	i.connector.crypto.prepareSoon(i.Matrix.UserID)
	return i.ASIntent.SetDisplayName(ctx, name)
}

// EnsureJoined implements bridgev2.MatrixAPI, with the promise of SendState. There is nothing to join if no room was wanted.
func (i *Intent) EnsureJoined(ctx context.Context, room id.RoomID, params ...bridgev2.EnsureJoinedParams) error {
	if room == "" {
		return nil
	}
	before := i.Matrix.StateStore.IsInRoom(ctx, room, i.Matrix.UserID)
	if !before {
		i.connector.crypto.prepare(ctx, i.Matrix.UserID)
	}
	err := i.ASIntent.EnsureJoined(ctx, room, params...)
	if err == nil && !before {
		i.connector.joined(room, i.Matrix.UserID)
	}
	return err
}

// EnsureInvited implements bridgev2.MatrixAPI, with the same promise.
func (i *Intent) EnsureInvited(ctx context.Context, room id.RoomID, user id.UserID) error {
	i.connector.crypto.prepare(ctx, user)
	return i.ASIntent.EnsureInvited(ctx, room, user)
}

// Failure is why a message could not be sent. bridgev2 keeps that to itself when it sends a message within another
// event, such as an edit that replaces a placeholder.
type Failure struct{ Err error }

type failureKey struct{}

// WithFailure returns a context that fills failure when a message that is sent with it cannot be sent.
func WithFailure(ctx context.Context, failure *Failure) context.Context {
	return context.WithValue(ctx, failureKey{}, failure)
}

func (i *Intent) send(
	ctx context.Context, room id.RoomID, kind event.Type, content *event.Content, extra *bridgev2.MatrixSendExtra,
) (*mautrix.RespSendEvent, error) {
	if extra == nil {
		extra = &bridgev2.MatrixSendExtra{}
	}
	switch kind {
	case event.EventRedaction:
		return i.ASIntent.SendMessage(ctx, room, kind, content, extra)
	case event.EventReaction:
		return i.react(ctx, room, content, extra)
	}
	encrypted, err := i.connector.mayWrite(ctx, room)
	if err != nil {
		return nil, err
	}
	if encrypted {
		if i.Matrix.IsCustomPuppet {
			i.Matrix.AddDoublePuppetValue(content)
		}
		if err = i.connector.crypto.encryptAs(ctx, i.Matrix.UserID, room, kind, content); err != nil {
			return nil, fmt.Errorf("failed to encrypt for the room: %w", err)
		}
		kind = event.EventEncrypted
	}
	request := i.request(ctx, room, extra)
	if encrypted && request.TransactionID != "" {
		return i.sendOnce(ctx, room, kind, content, request)
	}
	return i.Matrix.SendMessageEvent(ctx, room, kind, content, request)
}

// request is what has to be told of an event beside its content.
func (i *Intent) request(ctx context.Context, room id.RoomID, extra *bridgev2.MatrixSendExtra) mautrix.ReqSendEvent {
	request := mautrix.ReqSendEvent{TransactionID: i.connector.transactionIDs.of(ctx, room, i.Matrix.UserID, extra)}
	if !extra.Timestamp.IsZero() {
		request.Timestamp = extra.Timestamp.UnixMilli()
	}
	return request
}

// mayWrite tells whether a message to the room has to be encrypted, and refuses a portal that is not.
func (c *Connector) mayWrite(ctx context.Context, room id.RoomID) (encrypted bool, err error) {
	if encrypted, err = c.isEncrypted(ctx, room); encrypted || err != nil {
		return encrypted, err
	}
	portal, err := c.Bridge.GetPortalByMXID(ctx, room)
	if err != nil {
		return false, fmt.Errorf("failed to look for a portal: %w", err)
	} else if portal != nil {
		return false, fmt.Errorf("%w: %s", ErrNotEncrypted, room)
	}
	return false, nil
}

// isEncrypted asks the state store, and for a room that it does not know the homeserver. A room that was encrypted
// once stays so.
func (c *Connector) isEncrypted(ctx context.Context, room id.RoomID) (bool, error) {
	if _, known := c.encryptedRooms.Load(room); known {
		return true, nil
	}
	encrypted, err := c.StateStore.IsEncrypted(ctx, room)
	if err != nil {
		return false, fmt.Errorf("failed to check if the room is encrypted: %w", err)
	}
	if !encrypted {
		var content event.EncryptionEventContent
		err = c.Bot.Client.StateEvent(ctx, room, event.StateEncryption, "", &content)
		if errors.Is(err, mautrix.MNotFound) || errors.Is(err, mautrix.MForbidden) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("failed to ask if the room is encrypted: %w", err)
		}
		encrypted = content.Algorithm == id.AlgorithmMegolmV1
	}
	if encrypted {
		c.encryptedRooms.Store(room, struct{}{})
	}
	return encrypted, nil
}

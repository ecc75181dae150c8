package homeserver

import (
	"context"
	"errors"
	"strings"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
)

// Some of what a user can do in a chat has no counterpart on the other side, and bridgev2 would not see it or would say
// nothing. The user is told, once for each event.

// unsupportedKind is something that cannot be bridged.
type unsupportedKind struct {
	name   string // what follows "Your"
	reason string
}

var (
	kindPoll         = unsupportedKind{"poll", "Polls cannot be sent to this contact. Please ask in a message."}
	kindLiveLocation = unsupportedKind{"live location", "It cannot be shared with this contact. Please send where you are now instead."}
	kindCall         = unsupportedKind{"call", "This contact cannot be called from Matrix."}
	kindOther        = unsupportedKind{"message", "Messages of this kind cannot be sent to this contact."}
)

// unsupportedKinds are by event type, in all spellings that clients use. Polls' votes and ends are left out, as a poll that
// was not sent is not voted on, and so are the many events of a call after its first.
var unsupportedKinds = map[string]unsupportedKind{
	"m.poll.start":                   kindPoll,
	"org.matrix.msc3381.poll.start":  kindPoll,
	"m.beacon_info":                  kindLiveLocation,
	"org.matrix.msc3672.beacon_info": kindLiveLocation,
	"m.call.invite":                  kindCall,
	"m.call.member":                  kindCall,
	"org.matrix.msc3401.call.member": kindCall,
	"m.rtc.member":                   kindCall,
	"org.matrix.msc4143.rtc.member":  kindCall,
}

// textKeys are the places where an event of an unknown type may have text for people (MSC1767).
var textKeys = []string{"body", "m.text", "org.matrix.msc1767.text"}

// silentPrefixes begin the types of events that have text but say nothing to a contact.
var silentPrefixes = []string{"m.poll.", "org.matrix.msc3381.poll.", "m.call.", "m.key.", "m.rtc.", "org.postern.", "com.beeper."}

var errUnsupported = errors.New("events of this type are not bridged")

// whatIsUnsupported tells whether an event begins something that the bridge cannot do.
func whatIsUnsupported(evt *event.Event) (unsupportedKind, bool) {
	kind, known := unsupportedKinds[evt.Type.Type]
	content := evt.Content.Raw
	switch {
	case known && kind == kindLiveLocation:
		live, _ := content["live"].(bool) // otherwise it ends
		return kind, evt.StateKey != nil && live
	case known && evt.StateKey != nil:
		// An empty member leaves the call, and one that was made before is only kept alive.
		_, again := content["created_ts"]
		return kind, len(content) > 0 && !again
	case known:
		return kind, true
	case evt.StateKey != nil || hasPrefix(evt.Type.Type, silentPrefixes):
		return unsupportedKind{}, false
	}
	for _, key := range textKeys {
		switch text := content[key].(type) {
		case string:
			known = known || text != ""
		case []any:
			known = known || len(text) > 0
		}
	}
	return kindOther, known
}

func hasPrefix(name string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// tellUnsupported tells the user of a chat, and nobody else, if what they did is not bridged.
func (c *Connector) tellUnsupported(ctx context.Context, evt *event.Event) {
	kind, unsupported := whatIsUnsupported(evt)
	if !unsupported {
		return
	}
	log := zerolog.Ctx(ctx)
	portal, err := c.Bridge.GetPortalByMXID(ctx, evt.RoomID)
	if err != nil {
		log.Err(err).Msg("Failed to look for a portal")
		return
	} else if portal == nil {
		return
	}
	login, err := c.Bridge.GetExistingUserLoginByID(ctx, portal.Receiver)
	if err != nil {
		log.Err(err).Msg("Failed to look for a chat's user")
		return
	} else if login == nil || login.UserMXID != evt.Sender {
		return // it is not said to the contact
	}
	log.Info().Stringer("sender", evt.Sender).Msg("An event of a kind that is not bridged")
	c.SendMessageStatus(ctx, &bridgev2.MessageStatus{
		Step:          status.MsgStepRemote,
		Status:        event.MessageStatusFail,
		ErrorReason:   event.MessageStatusUnsupported,
		InternalError: errUnsupported,
		Message:       kind.reason,
		IsCertain:     true,
		SendNotice:    true,
	}, bridgev2.StatusEventInfoFromEvent(evt))
}

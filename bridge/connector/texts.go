package connector

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/exfmt"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/bridge/homeserver"
	"postern/bridge/limits"
	"postern/bridge/settings"
	"postern/interop"
	"postern/portal"
	"postern/provider"
)

// What users read, apart from the causes, which are logged.

// TextUnencryptedCommand answers a command in a room that is not encrypted.
const TextUnencryptedCommand = "This room is not encrypted, so I do not read commands in it: others on the servers could " +
	"read them too. Please turn encryption on in the room's settings, or start a new encrypted chat with me."

func textWelcome(gatekeeper *interop.Gatekeeper) string {
	return fmt.Sprintf("You are enlisted with %s. Write `start-chat` and a phone number in international form, such as "+
		"`start-chat +49 151 12345678`, to begin a chat. Your chats are collected in a space named \"%s\".", gatekeeper.Name, settings.SpaceName)
}

const textDeclined = "You did not agree, so nothing was done and nothing was sent."

// TextForeignUser is for users of other homeservers.
func TextForeignUser(domain string) string {
	return fmt.Sprintf("Only users of %[1]s can enlist here: the agreement with a gatekeeper covers one server's own users, "+
		"and this bridge belongs to %[1]s. Please ask the administrator of your own server for a bridge.", domain)
}

const textUnknownFlow = "This bridge has no such gatekeeper. Write `login` to see which it has."

// textEnlistFailed says why an enlistment did not work and what can be done.
func textEnlistFailed(gatekeeper *interop.Gatekeeper, err error) string {
	var refused *interop.EnlistError
	if !errors.As(err, &refused) {
		return fmt.Sprintf("%s could not be reached. Nothing is lost; please try again later.", gatekeeper.Name)
	}
	switch refused.Reason {
	case "bad_integrator":
		return fmt.Sprintf("%s does not know this bridge's integrator number. Please tell the administrator.", gatekeeper.Name)
	case "bad_token":
		return fmt.Sprintf("%s did not accept this bridge's word for who you are. Please tell the administrator: the gatekeeper "+
			"must be able to fetch the bridge's public keys, and the clock must be right.", gatekeeper.Name)
	case "bad_identifier":
		return fmt.Sprintf("%s does not accept your Matrix ID. Please tell the administrator.", gatekeeper.Name)
	case "old_version":
		return fmt.Sprintf("%s wants a newer version of this bridge. Please tell the administrator to update it.", gatekeeper.Name)
	case "temporarily_unavailable":
		return fmt.Sprintf("%s cannot enlist anyone at the moment. Please try again later.", gatekeeper.Name)
	case "bad_request", "bad_signature":
		return fmt.Sprintf("%s did not understand the enlistment. That is a fault of this bridge; please tell the administrator.", gatekeeper.Name)
	default:
		return fmt.Sprintf("%s refused the enlistment with the reason %.64q. Please tell the administrator.", gatekeeper.Name, refused.Reason)
	}
}

// mayEnlistLater tells whether the same enlistment may succeed at another time, so that its keys are kept.
func mayEnlistLater(err error) bool {
	var refused *interop.EnlistError
	return !errors.As(err, &refused) || refused.Reason == "temporarily_unavailable"
}

// textSendFailed says why a message was not delivered and what can be done.
func textSendFailed(gatekeeper string, err error) string {
	switch {
	case errors.Is(err, interop.ErrNotReachable):
		return fmt.Sprintf("The recipient does not accept third-party chats. They can turn them on in %s's settings; then send it again.", gatekeeper)
	case errors.Is(err, interop.ErrUnknownContact):
		return fmt.Sprintf("%s no longer knows the recipient. Please check the phone number.", gatekeeper)
	case errors.Is(err, interop.ErrUnconfirmed):
		return fmt.Sprintf("%s does not confirm that it took it, though it takes others. It may have arrived: please ask the recipient before you send it again.", gatekeeper)
	case errors.Is(err, interop.ErrDamaged):
		return "It was damaged in the bridge's database before it could be sent. Please send it again, and tell the administrator of the bridge."
	case errors.Is(err, interop.ErrTooLarge):
		return "It is too large. Please send it in smaller pieces."
	case errors.Is(err, interop.ErrMediaTooLarge), errors.Is(err, provider.ErrMediaTooLarge):
		return textFileTooLarge
	case errors.Is(err, provider.ErrQuota):
		return "The files that you sent in the last weeks take all the room that one user has on this bridge. It gets free as they " +
			"are deleted, the oldest first. Please send it later, or a smaller one, or ask the administrator of the bridge for more room."
	case errors.Is(err, homeserver.ErrMediaMissing):
		return "The homeserver does not have the file any more. Please send it again."
	case errors.Is(err, homeserver.ErrMediaBroken), errors.Is(err, homeserver.ErrMediaInvalid):
		return "The file is damaged: it is not what your app encrypted. Please send it again."
	case errors.Is(err, interop.ErrNotEnlisted):
		return fmt.Sprintf("You are not enlisted with %s any more. Please write `login` to the bot, then send it again.", gatekeeper)
	default:
		return fmt.Sprintf("%s refused it. Please send it again; if that does not help, tell the administrator of the bridge.", gatekeeper)
	}
}

const textFileTooLarge = "The file is larger than this bridge carries. Please send a smaller one."

// textFileTrouble says why a contact's file is not shown. limit is in bytes.
func textFileTrouble(gatekeeper string, limit int64, err error) string {
	switch {
	case errors.Is(err, interop.ErrMediaMissing):
		return fmt.Sprintf("%s does not have the file any more. Please ask your contact to send it again.", gatekeeper)
	case errors.Is(err, interop.ErrMediaBroken):
		return "The file arrived damaged."
	case errors.Is(err, interop.ErrMediaInvalid):
		return "The message does not say properly where its file is. Please ask your contact to send it again."
	case errors.Is(err, interop.ErrMediaUnavailable):
		return fmt.Sprintf("%s did not hand the file out.", gatekeeper)
	case errors.Is(err, interop.ErrMediaTooLarge), failureKind(err) == failureTooLarge:
		return fmt.Sprintf("The file is larger than the %d MiB that this bridge and the homeserver take.", limit>>20)
	default:
		return "The homeserver did not take the file."
	}
}

// textRetryFailed answers someone who wanted a file to be fetched again.
func textRetryFailed(gatekeeper string, limit int64, err error) string {
	switch {
	case errors.Is(err, errNotWaiting):
		return "There is no file of this message to be fetched: it is here, or it is older than 30 days."
	case fileTrouble(err):
		return "It did not work this time either. " + textFileTrouble(gatekeeper, limit, err)
	default:
		return "It did not work this time: the homeserver or the bridge has a problem. Please try again later."
	}
}

// textStrayReaction is shown in the contact's name.
func textStrayReaction(emoji string) string {
	return fmt.Sprintf("Reacted with %s to a message that is not here.", emoji)
}

// textTimer is shown in the contact's name.
func textTimer(timer time.Duration) string {
	if timer == 0 {
		return "Turned off disappearing messages."
	}
	return fmt.Sprintf("Turned on disappearing messages: from now on what is written here is deleted after %s, on both sides.", exfmt.Duration(timer))
}

// explainStatus says more about what bridgev2 refuses than bridgev2 does; "" to leave its own words. That a deletion is of
// something unknown is no news: people delete the bridge's notices, too, and reactions that were replaced.
func explainStatus(err error, about event.Type) string {
	switch {
	case errors.Is(err, bridgev2.ErrEditTargetTooOld):
		return fmt.Sprintf("Messages can be changed only within %s after they were sent: that is a rule of your contact's app. "+
			"You can answer to the message, or delete it.", exfmt.Duration(portal.EditMaxAge))
	case errors.Is(err, bridgev2.ErrTargetMessageNotFound) && about != event.EventRedaction:
		return "The bridge does not know the message that it is about. Your contact does not see what you did."
	case errors.Is(err, bridgev2.ErrMediaTooLarge):
		return textFileTooLarge
	case errors.Is(err, bridgev2.ErrNotLoggedIn):
		return explainNotLoggedIn(err)
	default:
		return ""
	}
}

// explainNotLoggedIn is for who writes into a chat whose login takes nothing any more. bridgev2 knows why as soon as the login's state
// was sent, and says so; in the instant before, and while the user leaves, it has no words for it.
func explainNotLoggedIn(err error) string {
	var told bridgev2.MessageStatus
	switch {
	case !errors.As(err, &told) || told.Message != "" && !strings.HasPrefix(told.Message, "You're not logged in"):
		return ""
	case strings.Contains(told.Message, "is owned by"):
		return "This is somebody else's chat. What you write here does not reach the contact."
	default:
		return "Your chats here have ended or are suspended, so nothing is sent. Why, and what you can do, stands in your own chat with me."
	}
}

func textDeleteTooOld(gatekeeper string) string {
	return fmt.Sprintf("The message is deleted here only: %s deletes messages for everyone only within %s.", gatekeeper, exfmt.Duration(portal.DeleteMaxAge))
}

// Why a change of an earlier message is refused.
var (
	errNotOwn  = errors.New("not the user's own message")
	errNotSent = errors.New("not a message that was sent to the contact")
	errTooOld  = errors.New("the message is too old")
	// errOtherFile: an edit has another file than the message.
	errOtherFile = errors.New("the file is another one")
)

// refuseChange makes the error for a change that will never be sent: a notice in the room says why.
func refuseChange(cause error, sentence string) error {
	return bridgev2.WrapErrorInStatus(cause).WithStatus(event.MessageStatusFail).WithErrorReason(event.MessageStatusUnsupported).
		WithIsCertain(true).WithSendNotice(true).WithMessage(sentence)
}

// textResolveFailed says why a chat cannot be started.
func textResolveFailed(gatekeeper string, err error) string {
	var limited *limits.Error
	switch {
	case errors.Is(err, interop.ErrInvalidPhone):
		return "That is not a phone number in international form. Please write it with a plus and the country code, such as +49 151 12345678."
	case errors.Is(err, interop.ErrUnknownContact):
		return fmt.Sprintf("Nobody on %s has this phone number.", gatekeeper)
	case errors.Is(err, interop.ErrNotReachable):
		return fmt.Sprintf("This person is on %s but does not accept third-party chats. They can turn them on in its settings.", gatekeeper)
	case errors.As(err, &limited):
		return "No chat was begun, and nobody was asked. " + limited.Sentence()
	case errors.Is(err, errPinged):
		return fmt.Sprintf("This person is on %s but has third-party chats off. I have asked them to turn them on. When they do, the chat opens by "+
			"itself and I tell you; there is nothing that you have to do.", gatekeeper)
	case errors.Is(err, interop.ErrTooManyPings):
		return fmt.Sprintf("This person is on %s but has third-party chats off. They are not asked again now, so that nobody is pestered: one person "+
			"can be asked once in %d days. They can turn them on in its settings.", gatekeeper, pingPauseDays)
	case errors.Is(err, interop.ErrNotConnected):
		return fmt.Sprintf("%s cannot be reached at the moment. Please try again in a minute.", gatekeeper)
	default:
		return fmt.Sprintf("%s did not answer as expected. Please try again in a minute.", gatekeeper)
	}
}

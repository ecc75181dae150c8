package connector

import (
	"errors"
	"fmt"

	"maunium.net/go/mautrix/bridgev2/status"

	"postern/interop"
)

// Codes of bridge states. Machines read them; people read the message.
const (
	stateOffline     status.BridgeStateErrorCode = "postern-offline"
	stateUntrusted   status.BridgeStateErrorCode = "postern-untrusted-server"
	stateNotEnlisted status.BridgeStateErrorCode = "postern-not-enlisted"
	stateOutdated    status.BridgeStateErrorCode = "postern-outdated"
	stateReplaced    status.BridgeStateErrorCode = "postern-replaced"
	stateToken       status.BridgeStateErrorCode = "postern-token-refused"
	stateRemoved     status.BridgeStateErrorCode = "postern-gatekeeper-removed"
	stateSuspended   status.BridgeStateErrorCode = "postern-eea-declaration-missing"
	stateBanned      status.BridgeStateErrorCode = "postern-suspended"
	stateEnded       status.BridgeStateErrorCode = "postern-ended"
)

// disconnectedState is what a user is told while the chat channel is down and tried again.
func disconnectedState(gatekeeper *interop.Gatekeeper, err error) status.BridgeState {
	if errors.Is(err, interop.ErrUntrustedServer) {
		return status.BridgeState{
			StateEvent: status.StateUnknownError,
			Error:      stateUntrusted,
			Message: fmt.Sprintf("%s's chat server could not prove that it is the right one, so nothing is sent to it. "+
				"Please tell the administrator of this bridge.", gatekeeper.Name),
		}
	}
	if errors.Is(err, interop.ErrTokenRefused) || errors.Is(err, interop.ErrReplaced) {
		return endedState(gatekeeper, err) // it is tried again, but waiting alone does not help
	}
	return status.BridgeState{
		StateEvent: status.StateTransientDisconnect,
		Error:      stateOffline,
		Message:    fmt.Sprintf("%s cannot be reached at the moment. Messages are sent as soon as it can.", gatekeeper.Name),
	}
}

// endedState is what a user is told when the client gave up for good.
func endedState(gatekeeper *interop.Gatekeeper, err error) status.BridgeState {
	switch {
	case errors.Is(err, interop.ErrNotEnlisted):
		return status.BridgeState{
			StateEvent: status.StateBadCredentials,
			Error:      stateNotEnlisted,
			UserAction: status.UserActionRelogin,
			Message: fmt.Sprintf("%s no longer knows you as enlisted. That happens after 30 days without a connection. "+
				"Please write `login %s` to enlist again; your chats go on in the same rooms.", gatekeeper.Name, gatekeeper.ID),
		}
	case errors.Is(err, interop.ErrOutdated):
		return status.BridgeState{
			StateEvent: status.StateUnknownError,
			Error:      stateOutdated,
			Message:    fmt.Sprintf("%s wants a newer version of this bridge. Please tell its administrator to update it.", gatekeeper.Name),
		}
	case errors.Is(err, interop.ErrReplaced):
		return status.BridgeState{
			StateEvent: status.StateUnknownError,
			Error:      stateReplaced,
			Message: fmt.Sprintf("Your %s enlistment is in use by another program. Please tell the administrator of this bridge, "+
				"who may be running it twice.", gatekeeper.Name),
		}
	case errors.Is(err, interop.ErrTokenRefused):
		return status.BridgeState{
			StateEvent: status.StateUnknownError,
			Error:      stateToken,
			Message: fmt.Sprintf("%s does not accept this bridge's word for who you are. Please tell its administrator: "+
				"the gatekeeper must be able to fetch the bridge's public keys.", gatekeeper.Name),
		}
	default:
		return status.BridgeState{
			StateEvent: status.StateUnknownError,
			Error:      stateEnded,
			Message:    fmt.Sprintf("The connection to %s ended and is not tried again. Please tell the administrator of this bridge.", gatekeeper.Name),
		}
	}
}

// removedState is what a user is told whose gatekeeper is not in the config any more.
func removedState(gatekeeper string) status.BridgeState {
	return status.BridgeState{
		StateEvent: status.StateUnknownError,
		Error:      stateRemoved,
		Message:    fmt.Sprintf("The administrator of this bridge took %s out of its configuration.", gatekeeper),
	}
}

// suspendedState is what a user is told who has to declare to be in the EEA. bridgev2 shows the message of this kind of state
// also to who writes into a chat.
func suspendedState(gatekeeper string) status.BridgeState {
	return status.BridgeState{
		StateEvent: status.StateBadCredentials,
		Error:      stateSuspended,
		Message: fmt.Sprintf("Your chats on %s are suspended: you have not declared to live in the European Economic Area, or withdrew that. "+
			"If you do live there, write `eea confirm`.", gatekeeper),
	}
}

// bannedState is what a user is told whom an admin suspended. What is said there holds for it, too.
func bannedState(reason string) status.BridgeState {
	return status.BridgeState{StateEvent: status.StateBadCredentials, Error: stateBanned, Message: textBanned(reason)}
}

// leavingState is what a user is told who leaves while something is left to be done.
func leavingState(gatekeeper string) status.BridgeState {
	return status.BridgeState{
		StateEvent: status.StateLoggedOut,
		Message:    fmt.Sprintf("You are leaving %s.", gatekeeper),
	}
}

// missingState is what a user is told whose enlistment is not in the database.
func missingState(gatekeeper string) status.BridgeState {
	return status.BridgeState{
		StateEvent: status.StateBadCredentials,
		Error:      stateNotEnlisted,
		UserAction: status.UserActionRelogin,
		Message:    fmt.Sprintf("Your %s enlistment is gone from this bridge. Please write `login` to enlist again.", gatekeeper),
	}
}

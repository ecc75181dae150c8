package connector

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/bridge/users"
)

// What users read who leave.

const textLeaveNow = "I am telling %s that you leave, and erase what is stored here about your chats there. You will read here when it is done."

// textLeft is the end of it. known is false if the gatekeeper is not in the config any more, so that nobody could tell it.
func textLeft(gatekeeper string, known bool) string {
	if !known {
		return fmt.Sprintf("You have left %[1]s: your keys, your chats and your contacts there are erased from this bridge. The bridge has no "+
			"connection to %[1]s any more and could not tell it; it forgets you after 30 days.", gatekeeper)
	}
	return fmt.Sprintf("You have left %[1]s: it knows, and people there can no longer write to you. Your keys, your chats and your "+
		"contacts there are erased from this bridge.", gatekeeper)
}

// textLeaving says what is left to be done.
func textLeaving(gatekeeper string, err error) string {
	var farewell *farewellError
	if errors.As(err, &farewell) {
		return fmt.Sprintf("You are leaving %[1]s, but it cannot be told at the moment. I will try again every few minutes, and tell you when "+
			"it is done. Until then your keys stay here, people there can still write to you, and you will not see it. `erase pending` shows "+
			"what is left.", gatekeeper)
	}
	return fmt.Sprintf("You are leaving %s, but not everything could be erased yet. I will try again every few minutes, and tell you "+
		"when it is done. `erase pending` shows what is left.", gatekeeper)
}

// textChatEnded stands at the end of a chat.
func textChatEnded(gatekeeper string) string {
	return fmt.Sprintf("This chat has ended, because you left %[1]s. Nothing that you write here is sent. You keep what was said, until you leave "+
		"the room; if you enlist again, the chat goes on in a new room.", gatekeeper)
}

// textNotInEEA answers who does not live in the EEA.
func textNotInEEA(gatekeeper string) string {
	return fmt.Sprintf("%s offers this only to people in the European Economic Area, so nothing was done and nothing was sent.", gatekeeper)
}

// TextBridgeProblem is what people read if only the log can say what went wrong.
const TextBridgeProblem = "It did not work: the bridge has a problem. Please try again later."

const textEraseQuestion = "You are about to leave all gatekeepers. People there can no longer write to you, and your keys, your chats, your contacts and " +
	"your files that wait to be fetched are erased from this bridge. `export` shows what that is. It cannot be undone.\n\nWrite `yes` to do it, or anything else to keep all as it is."

// textWhatStays is told to who erases everything.
const textWhatStays = "What this bridge goes on storing is your Matrix ID which room you talk to me in, and for a while that you agreed, enlisted and left, and when. What was said in your rooms is kept by your " +
	"homeserver and not by me, and what your contacts received is on their devices: leave the rooms, or ask the administrator, to be rid of the former."

// textPending answers a user who asks what is not erased yet.
func textPending(pending []users.Pending, now time.Time) string {
	if len(pending) == 0 {
		return "Nothing of you is left to be erased. Who wants that writes `erase` or `logout`."
	}
	lines := make([]string, 0, len(pending))
	for _, one := range pending {
		lines = append(lines, "* "+one.Sentence(now))
	}
	return strings.Join(lines, "\n")
}

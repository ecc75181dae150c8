package connector

import (
	"fmt"
	"strings"

	"postern/puppet"
)

// What users read about requests.

// textRequestName is what the invitation is called: the name that the contact chose never stands alone.
func textRequestName(gatekeeper string, profile *puppet.Profile) string {
	return fmt.Sprintf("%s on %s", profile.FullName(), gatekeeper)
}

func textRequestTopic(gatekeeper string, profile *puppet.Profile) string {
	return fmt.Sprintf("%s wants to write to you from %s. Join to read what they wrote, or reject the invitation: they are not told of either.",
		profile.FullName(), gatekeeper)
}

func textFlood(gatekeeper string) string {
	return fmt.Sprintf("Many people whom you do not know want to write to you on %s. Not all of them get an invitation. `requests` lists them, "+
		"`decline all` declines all, and `settings who-may-write contacts` keeps strangers out.", gatekeeper)
}

func textMissed(missed int) string {
	messages := "messages"
	if missed == 1 {
		messages = "message"
	}
	return fmt.Sprintf("Before you accepted, %d more %s came here that could not be kept. Please ask your contact to send again what is missing.", missed, messages)
}

const (
	textNoRequest       = "This contact has not asked to write to you. `requests` lists those who have."
	textDeclineAccepted = "You accepted this contact already, so there is nothing to decline."
	textNotDeclined     = "You did not decline this contact."
)

// maxListed is how many requests one answer lists.
const maxListed = 30

// textRequests lists who asks at one gatekeeper.
func textRequests(gatekeeper string, list *RequestList) string {
	if list.Asking == 0 {
		return fmt.Sprintf("Nobody asks to write to you on %s.", gatekeeper)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "On %s %d ask to write to you:\n", gatekeeper, list.Asking)
	for _, request := range list.Requests {
		fmt.Fprintf(&text, "\n* %s, since %s: `accept %[3]s` or `decline %[3]s`", escape(request.Name), request.Asked.Format("2 January 15:04"), request.Address)
	}
	if more := list.Asking - len(list.Requests); more > 0 {
		fmt.Fprintf(&text, "\n\nand %d more. `decline all` declines all of them.", more)
	}
	return text.String()
}

// escape keeps a name that a stranger chose from being read as Markdown or HTML.
func escape(name string) string {
	var text strings.Builder
	for _, r := range name {
		if strings.ContainsRune("\\`*_{}[]()<>#+-.!|~&$", r) {
			text.WriteByte('\\')
		}
		text.WriteRune(r)
	}
	return text.String()
}

// What is answered to decisions.
const (
	textAccepted        = "Accepted. What they wrote is in the chat with them."
	textDeclinedContact = "Declined. You will not see what they write; they are not told. `undecline` takes it back."
	textUndeclined      = "They can ask again. What they wrote meanwhile is lost."
)

package connector

import (
	"time"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

// ParseReport is parseReport.
func ParseReport(words []string) Report { return parseReport(words) }

// ReportText is the text of a report with one message of the contact's.
func ReportText(name, reason string, content *event.MessageEventContent) string {
	return textReport(reportHead{User: "@alice:example.org", Name: name, Contact: "+4915112345678", Gatekeeper: "WhatsApp", Reason: reason},
		[]reportedMessage{{at: time.Unix(0, 0), from: portal.FromContact, content: content}})
}

// ReportedFile is reportedFile.
func ReportedFile(content *event.MessageEventContent) *event.MessageEventContent {
	return reportedFile(content)
}

// KeyNotices decides about notices of changed keys.
type KeyNotices struct{ keyNotices }

// Next is next for a notice that gets into the room if it is shown.
func (k *KeyNotices) Next(contact types.JID, at time.Time, compared, held bool) (show, last bool) {
	if show, last = k.next(contact, at, compared, held); show {
		k.shown(contact, held)
	}
	return show, last
}

// Agreed is agreed.
func (k *KeyNotices) Agreed(contact types.JID) { k.agreed(contact) }

package bridge

import (
	"fmt"

	"postern/database"
)

// storedTime is how times are written for admins, in UTC.
const storedTime = "2006-01-02 15:04:05.000"

// Sentences say, for an admin, what the database knows of a message.
func (s *Stored) Sentences() (sentences []string) {
	for _, row := range s.Waiting {
		sentences = append(sentences, fmt.Sprintf("%s of %s with %s: %s", row.ID, row.UserID, row.Gatekeeper, storedText(row)))
	}
	for _, shown := range s.Shown {
		room := "a chat whose room is gone"
		if shown.Room != "" {
			room = shown.Room.String()
		}
		sentences = append(sentences, fmt.Sprintf("event %s is in %s, %s UTC", shown.Event, room, shown.Time.UTC().Format(storedTime)))
	}
	return sentences
}

func storedText(row database.Traced) string {
	since := row.Created.UTC().Format(storedTime) + " UTC"
	switch {
	case row.Place == database.InKept:
		return "kept since " + since + ", until the user accepts the contact"
	case row.Place == database.InUnfetched:
		return "its file could not be had; a notice is in the room, and the user can fetch it again. Since " + since
	case row.Sent:
		return "in the outbox since " + since + ", and the gatekeeper has it"
	case row.Failed:
		return "in the outbox since " + since + ", and refused for good: " + row.Failure
	}
	waits := "waits in the outbox since " + since
	if row.Draft {
		waits += ", its file is not carried yet"
	}
	if row.Held {
		waits += ", until the user agrees to the contact's new key"
	}
	if row.Enlistment != database.Enlisted {
		waits += "; the enlistment is " + string(row.Enlistment) + ", so nothing is sent"
	} else if !row.Connected.IsZero() {
		waits += "; the user was last connected about " + row.Connected.UTC().Format("2006-01-02 15:04") + " UTC"
	}
	return waits + ". While the user is connected it is tried again, after 1 second at first and every 5 minutes at most"
}

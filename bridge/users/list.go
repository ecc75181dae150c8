package users

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"postern/database"
)

// Listed is one enlistment, as admins see it. It holds no keys.
type Listed struct {
	User       string                   `json:"user"`
	Gatekeeper string                   `json:"gatekeeper"`
	State      database.EnlistmentState `json:"state"`
	Since      time.Time                `json:"since"`
	// Connected is when the user was last connected, to the hour, nil for never.
	Connected *time.Time `json:"connected,omitempty"`
	// Blocked is how many contacts the user blocks.
	Blocked int `json:"blocked"`
	// Suspended is when an admin suspended the user, nil if nobody did, and Reason why.
	Suspended *time.Time `json:"suspended,omitempty"`
	Reason    string     `json:"reason,omitempty"`
}

// MaxListed bounds a list, which is made in memory.
const MaxListed = 1_000_000

// List returns at most limit enlistments that match after the first ones, see [database.Enlistments.Overview].
func List(ctx context.Context, db *database.Database, search string, offset, limit int) ([]Listed, error) {
	rows, err := db.Enlistments().Overview(ctx, search, offset, limit)
	if err != nil {
		return nil, err
	}
	users := make([]Listed, len(rows)) // not nil, so that JSON has a list
	for i, row := range rows {
		users[i] = Listed{
			User: row.UserID, Gatekeeper: row.Gatekeeper, State: row.State, Since: row.Created.UTC().Truncate(time.Second),
			Connected: timeOrNil(row.Connected), Blocked: row.Blocked, Suspended: timeOrNil(row.Suspended), Reason: row.Reason,
		}
	}
	return users, nil
}

func timeOrNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC().Truncate(time.Second)
	return &at
}

// WriteJSON writes a list for programs.
func WriteJSON(w io.Writer, users []Listed) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "\t")
	return encoder.Encode(users)
}

// WriteCSV writes a list for spreadsheets, with a line of names. Times are RFC 3339, "" for none.
func WriteCSV(w io.Writer, users []Listed) error {
	lines := csv.NewWriter(w)
	_ = lines.Write([]string{"user", "gatekeeper", "state", "since", "connected", "blocked", "suspended", "reason"}) // Error tells
	for _, user := range users {
		_ = lines.Write([]string{
			user.User, user.Gatekeeper, string(user.State), user.Since.Format(time.RFC3339), stamp(user.Connected),
			strconv.Itoa(user.Blocked), stamp(user.Suspended), user.Reason,
		})
	}
	lines.Flush()
	return lines.Error()
}

func stamp(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.Format(time.RFC3339)
}

// Line is one user for people to read.
func (u Listed) Line() string {
	line := fmt.Sprintf("%s %s: %s since %s", u.User, u.Gatekeeper, u.State, u.Since.Format(time.DateOnly))
	if u.Connected != nil {
		line += ", connected " + u.Connected.Format("2006-01-02 15:04 UTC")
	} else {
		line += ", never connected"
	}
	if u.Blocked > 0 {
		line += fmt.Sprintf(", blocks %d", u.Blocked)
	}
	if u.Suspended != nil {
		line += fmt.Sprintf(", suspended %s: %s", u.Suspended.Format(time.DateOnly), u.Reason)
	}
	return line
}

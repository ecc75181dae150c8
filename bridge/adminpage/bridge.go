package adminpage

import (
	"context"
	"time"
)

// Bridge is what the page shows and changes. Methods are called at the same time, also while the bridge starts. actor is the admin who
// asks, as [Page.NewLink] got it or [Bridge.RedeemLink] returned it: it goes into the audit log. Errors of type [Refusal] are shown
// to the admin, others are logged.
type Bridge interface {
	// RedeemLink looks for a link that another process made, by the hash of its token, and ends it. It returns "" if there is none.
	RedeemLink(ctx context.Context, hash []byte) (actor string, err error)
	// LoggedIn is told of everyone who logs in.
	LoggedIn(ctx context.Context, actor string)

	Overview(ctx context.Context) Overview
	// Charts have at most so many points.
	Charts(points int) []Chart
	// Users are those who match, at most limit after offset, in a fixed order.
	Users(ctx context.Context, actor, search string, offset, limit int) ([]Enlistment, error)
	// User is what there is of one user; it is not nil.
	User(ctx context.Context, actor, user string) (*User, error)
	// ExportUsers writes those who match as CSV.
	ExportUsers(ctx context.Context, actor, search string) ([]byte, error)
	Suspend(ctx context.Context, actor, user, reason string) error
	Unsuspend(ctx context.Context, actor, user string) error
	Erase(ctx context.Context, actor, user string) error
	// Troubles are warnings and errors, those seen last first.
	Troubles() []Trouble
	// Examine begins to look for all that may be wrong, unless that is under way, and Examination tells how it is with that.
	Examine()
	Examination() Examination
	// Audit returns the newest entries, newest first.
	Audit(ctx context.Context, limit int) ([]AuditEntry, error)
}

// Refusal says why something was not done, in a sentence for the admin.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Overview is how the bridge is.
type Overview struct {
	// Problems are why it is not ready.
	Problems []Fact
	// Facts are versions and the like.
	Facts []Fact
	// States and Queues are by gatekeeper. Known is false if they cannot be looked up now.
	Known  bool
	States []State
	Queues []Queue
}

// Fact is a name and what there is to say about it.
type Fact struct{ Name, Value string }

// State is how many users of a gatekeeper are in a state.
type State struct {
	Gatekeeper, State string
	Users             int
}

// Queue is what waits for a gatekeeper, and what came from it and is not in Matrix yet.
type Queue struct {
	Gatekeeper    string
	Outbox, Inbox int
	// Oldest is since when the oldest message of the outbox waits, zero if none does.
	Oldest time.Time
}

// Chart is how something went.
type Chart struct {
	// ID is a word, Title what the chart shows, Unit is put behind values.
	ID, Title, Unit string
	Times           []time.Time
	// Lines are at most two.
	Lines []Line
}

// Line has a value for each of the chart's times, NaN for none.
type Line struct {
	Name   string
	Values []float64
}

// Enlistment is a user at a gatekeeper.
type Enlistment struct {
	User, Gatekeeper, State string
	Since                   time.Time
	// Connected is when the user was last connected, Suspended since when they are suspended, zero for never.
	Connected, Suspended time.Time
	Blocked              int
	// Connection is how the user is connected now, "" if nobody knows. It is only told of one user at a time.
	Connection string
}

// User is one who may be enlisted or not.
type User struct {
	ID          string
	Enlistments []Enlistment
	Suspended   bool
	Reason      string
}

// Trouble is a warning or error of the log.
type Trouble struct {
	// Level is warning or error.
	Level          string
	Message, Cause string
	Details        []Fact
	Count          int
	First, Last    time.Time
	// Remedy is what helps, "" if nobody knows.
	Remedy string
}

// Examination is what doctor found.
type Examination struct {
	Running bool
	// At is when it was done, zero if it never was since the start. Findings are of then.
	At       time.Time
	Findings []Finding
}

// Finding is what one look showed.
type Finding struct {
	// Check names it. Status is ok, note, warning or fault.
	Check, Status, Text string
	// Remedy is what helps, "" if there is nothing to do.
	Remedy string
}

// AuditEntry is who did what.
type AuditEntry struct {
	At                                     time.Time
	Kind, Actor, User, Gatekeeper, Subject string
}

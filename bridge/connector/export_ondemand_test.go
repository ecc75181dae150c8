package connector

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/id"

	"postern/database"
	"postern/interop"
)

// Attendance decides when a login of an on-demand gatekeeper is connected.
type Attendance struct{ attendance *attendance }

// Channel is the part of an interop client that an attendance decides about.
type Channel = channel

// NewAttendance makes one that starts its channel in a goroutine, as the starter does.
func NewAttendance(idle time.Duration, clock interop.Clock, channel Channel) *Attendance {
	a := &Attendance{}
	a.attendance = newAttendance(zerolog.Nop(), idle, clock, channel, func() { go a.attendance.begin() })
	return a
}

func (a *Attendance) Need() <-chan struct{} { return a.attendance.need() }
func (a *Attendance) Use()                  { a.attendance.use() }
func (a *Attendance) Connected()            { a.attendance.connected() }

func (a *Attendance) End() { a.attendance.close() }

func (a *Attendance) Close() {
	a.attendance.close()
	a.attendance.wait()
}

// Away tells whether the login is not connected and nobody wants that.
func (a *Attendance) Away() bool {
	a.attendance.lock.Lock()
	defer a.attendance.lock.Unlock()
	return a.attendance.state == away
}

// Bounds of how long a user is left alone.
const (
	DueAfter  = dueAfter
	DueSpread = dueSpread
	DueEvery  = dueEvery
)

// IsDue tells whether an account has to be connected for the gatekeeper's sake at a time.
func IsDue(now time.Time, account database.AccountID, connected time.Time) bool {
	n := &Network{Options: Options{Clock: standing(now)}}
	return n.isDue(account, connected)
}

// standing is a clock that stands.
type standing time.Time

func (s standing) Now() time.Time                                { return time.Time(s) }
func (s standing) AfterFunc(time.Duration, func()) interop.Timer { panic("it stands") }

// StartLogins does what a start does with the logins, when nothing has changed for all rooms.
func (n *Network) StartLogins(ctx context.Context) error {
	info, capabilities := n.GetBridgeInfoVersion()
	n.bridge.DB.KV.Set(ctx, mxdatabase.KeyBridgeInfoVersion, fmt.Sprintf("%d,%d", info, capabilities))
	return n.startLogins(ctx)
}

// WaitArrived returns when every login that is needed is connected.
func (n *Network) WaitArrived() {
	for _, login := range n.bridge.GetAllCachedUserLogins() {
		attendance := login.Client.(*Client).attendance
		attendance.lock.Lock()
		needed, arrived := attendance.state == present, attendance.arrived
		attendance.lock.Unlock()
		if needed {
			<-arrived
		}
	}
}

// IsLoaded tells whether bridgev2 has a user's login in memory.
func (n *Network) IsLoaded(user id.UserID) bool {
	for _, login := range n.bridge.GetAllCachedUserLogins() {
		if login.UserMXID == user {
			return true
		}
	}
	return false
}

package connector

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"postern/bridge/adminroom"
	"postern/bridge/limits"
	"postern/interop"
	"postern/provider"
)

// What admins hear, see package adminroom, and where it comes from.

// timeFormat is how admins read times, in UTC.
const timeFormat = "2006-01-02 15:04 UTC"

// TellAdmins is for news from outside of this package. What belongs together has one group; see [adminroom.News].
func (n *Network) TellAdmins(group, text string) {
	n.adminRoom.Hear(adminroom.News{Group: group, Text: text})
}

// limitReached tells the admins who came to a limit: it may be someone who writes to strangers.
func (n *Network) limitReached(err *limits.Error) {
	n.adminRoom.Hear(adminroom.News{
		Group: "limit." + string(err.Kind) + "." + err.User.String(),
		Text:  fmt.Sprintf("%s has come to the daily limit of %d %s, and is told so.", err.User, err.Limit, err.Kind),
	})
}

// outageAfter is how long connections to a gatekeeper have to fail until the admins hear of it.
const outageAfter = 5 * time.Minute

// outages are the gatekeepers to which connections fail, and since when.
type outages struct {
	lock  sync.Mutex
	since map[string]time.Time
	told  map[string]bool
}

// connectionFailed is told of every connection of a user that ended or could not be made.
func (n *Network) connectionFailed(gatekeeper *interop.Gatekeeper, err error) {
	switch {
	case errors.Is(err, interop.ErrUntrustedServer):
		n.adminRoom.Hear(adminroom.News{Group: "untrusted." + gatekeeper.ID, Text: fmt.Sprintf("The chat server of %[1]s could not prove that it is "+
			"the right one, so nobody is connected to it. Either something stands between this bridge and %[1]s, or `root_key` in the config is out of date.", gatekeeper.Name)})
	case errors.Is(err, interop.ErrTokenRefused):
		n.tokenRefused(gatekeeper)
	case errors.Is(err, interop.ErrReplaced):
		n.adminRoom.Hear(adminroom.News{Group: "replaced." + gatekeeper.ID, Text: fmt.Sprintf("Another program connects to %s with the keys of users "+
			"of this bridge. Does the bridge run twice, or a copy of it?", gatekeeper.Name)})
	case errors.Is(err, interop.ErrNotEnlisted), isOutdated(err): // others tell
	default:
		n.noteOutage(gatekeeper)
	}
}

func (n *Network) tokenRefused(gatekeeper *interop.Gatekeeper) {
	n.adminRoom.Hear(adminroom.News{Group: "token." + gatekeeper.ID, Text: fmt.Sprintf("%[1]s refuses the identity tokens of this bridge, so users cannot "+
		"connect or enlist. %[1]s has to reach %[2]s, `integrator` and `audience` in the config have to be those of the agreement, "+
		"and this machine's clock has to be right.", gatekeeper.Name, n.PublicURL+provider.JWKSPath)})
}

func (n *Network) noteOutage(gatekeeper *interop.Gatekeeper) {
	o := &n.outages
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.since == nil {
		o.since, o.told = make(map[string]time.Time), make(map[string]bool)
	}
	now := n.Clock.Now()
	since, failing := o.since[gatekeeper.ID]
	if !failing {
		o.since[gatekeeper.ID] = now
	} else if now.Sub(since) >= outageAfter && !o.told[gatekeeper.ID] {
		o.told[gatekeeper.ID] = true
		n.adminRoom.Hear(adminroom.News{Group: "offline." + gatekeeper.ID, Text: fmt.Sprintf(
			"Connections to %s fail since %s. Messages wait, and are sent as soon as it can be reached.", gatekeeper.Name, since.UTC().Format(timeFormat))})
	}
}

// connectionMade is told of every connection that was made.
func (n *Network) connectionMade(gatekeeper *interop.Gatekeeper) {
	o := &n.outages
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.told[gatekeeper.ID] {
		n.adminRoom.Hear(adminroom.News{Group: "online." + gatekeeper.ID, Text: fmt.Sprintf(
			"%s can be reached again. It could not be since %s.", gatekeeper.Name, o.since[gatekeeper.ID].UTC().Format(timeFormat))})
	}
	delete(o.since, gatekeeper.ID)
	delete(o.told, gatekeeper.ID)
}

// lapsed tells the admins that a gatekeeper has forgotten a user. If it is many at once, something is wrong.
func (n *Network) lapsed(gatekeeper *interop.Gatekeeper) {
	n.adminRoom.Hear(adminroom.News{Group: "lapsed." + gatekeeper.ID, Text: fmt.Sprintf("%[1]s has forgotten a user, who has to enlist again and was told so. "+
		"That happens to users who were not connected for 30 days; `users lapsed` lists them.", gatekeeper.Name)})
}

// storeFull and quotaFull tell the admins that a file found no place.
func (n *Network) storeFull() {
	n.adminRoom.Hear(adminroom.News{Group: "full", Text: "The place for files is full, so files of all users wait until it has room again. " +
		"Please raise `limits.media_total_mib` in the config, or lower `public.media_days`."})
}

func (n *Network) quotaFull(user string) {
	n.adminRoom.Hear(adminroom.News{Group: "quota." + user, Text: fmt.Sprintf("%s has used up the room that one user has for files, and is told so. "+
		"It is `limits.media_user_mib` in the config.", user)})
}

// eraseFailed tells the admins that what a user wanted to be erased is not erased yet.
func (n *Network) eraseFailed(user, gatekeeper string) {
	n.adminRoom.Hear(adminroom.News{Group: "erase." + user + "." + gatekeeper, Text: fmt.Sprintf("%s leaves %s, and not all could be told and erased yet. "+
		"It is tried again every few minutes; the reason is in the bridge's log.", user, gatekeeper)})
}

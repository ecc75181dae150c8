package connector

import (
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// Profiles lets contacts' profiles change beside their messages.
type Profiles struct{ profiles profiles }

func (p *Profiles) Use(contact networkid.UserID) (release func()) { return p.profiles.use(contact) }
func (p *Profiles) Publish(ghost *bridgev2.Ghost, next *mxdatabase.Ghost) {
	p.profiles.publish(ghost, next)
}

// InUse counts the contacts of whom events are being handled.
func (p *Profiles) InUse() int { return len(p.profiles.used) }

package homeserver

import "sync/atomic"

// textBotsKey is for admins.
const textBotsKey = "The homeserver does not let the bridge make an encryption device for a contact. The contact's messages are encrypted by the bot's " +
	"device instead, so apps warn of them, and an app that is set to take no messages from unverified devices cannot read them. " +
	"The bridge tries again by itself, and its log says why it failed (\"Failed to set a contact's device up\"). It may concern " +
	"other contacts as well; this is said only once until the next restart."

// puppetWarning tells the administrators once in a run that a contact's messages go out under the bot's key.
type puppetWarning struct{ raised atomic.Bool }

func (w *puppetWarning) raise(c *Connector) {
	if c.options.WarnAdmins != nil && w.raised.CompareAndSwap(false, true) {
		c.options.WarnAdmins(textBotsKey)
	}
}

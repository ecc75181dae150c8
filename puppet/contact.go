package puppet

import (
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Request is what became of a contact's wish to write to a user. The numbers are stored.
type Request int

const (
	// NeverAsked: the contact has not written yet.
	NeverAsked Request = 0
	// Asks: the user has not decided yet. The contact sees neither receipts nor typing.
	Asks Request = 1
	// Accepted: the user accepted the contact, or wrote first.
	Accepted Request = 2
	// Declined: what the contact writes is thrown away until the user undoes it.
	Declined Request = 3
)

// Contact is what one user decided about one contact.
type Contact struct {
	JID     types.JID // without a device
	Request Request
	// Asked is when the contact first asked, zero if that never happened or was answered by the user writing first.
	Asked time.Time
	// Shown: there is a room that was made for the request, in which nothing was said yet.
	Shown bool
	// Missed is how many messages came while the contact asked that were not kept.
	Missed int
	// Pinged is when the user last asked the contact to turn third-party chats on, and Wished whether they wait for it.
	Pinged time.Time
	Wished bool
	// Blocked is what the user wants, Listed what the gatekeeper's blocklist said when both were last compared. They
	// differ while a change has not reached the gatekeeper.
	Blocked, Listed bool
	// Ignored is what the ignore list of the user's Matrix account said when it was last read. A change of it is a wish to block or
	// unblock.
	Ignored bool
	// Compared is a hash of the identity keys whose security code the user compared, nil if that never happened.
	Compared []byte
	// Held: messages to the contact wait until the user agrees to a new identity key.
	Held bool
}

package puppet

import "go.mau.fi/whatsmeow/types"

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
	// Blocked is what the user wants, Listed what the gatekeeper's blocklist said when both were last compared. They
	// differ while a change has not reached the gatekeeper.
	Blocked, Listed bool
	// Compared is a hash of the identity keys whose security code the user compared, nil if that never happened.
	Compared []byte
	// Held: messages to the contact wait until the user agrees to a new identity key.
	Held bool
}

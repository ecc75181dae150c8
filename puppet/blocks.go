package puppet

import "go.mau.fi/whatsmeow/types"

// BlockChange is what has to be done about one contact so that the user and the gatekeeper want the same.
type BlockChange struct {
	JID types.JID
	// Blocked is what holds from now on.
	Blocked bool
	// Tell: the gatekeeper has to be told. If not, it was changed there, and the user's side follows.
	Tell bool
}

// MergeBlocks compares what the user wants (Blocked of the known contacts) with the gatekeeper's list, by what both were when
// they were last equal (Listed): whichever side changed since then is right. If both changed, they changed to the same. A
// contact who is on the list and not known was put there by the gatekeeper or another program.
//
// The first of the two results is what has to change, in the order of known and then of listed; the second are the contacts whose
// Listed has to become what Blocked is.
func MergeBlocks(known []*Contact, listed []types.JID) (changes []BlockChange, settled []BlockChange) {
	there := make(map[types.JID]bool, len(listed))
	for _, jid := range listed {
		there[jid] = true
	}
	for _, contact := range known {
		change := BlockChange{JID: contact.JID, Blocked: contact.Blocked}
		switch is := there[contact.JID]; {
		case contact.Blocked == is && contact.Listed == is:
		case contact.Blocked == is:
			settled = append(settled, change)
		case contact.Blocked != contact.Listed:
			change.Tell = true
			changes = append(changes, change)
		default:
			change.Blocked = is
			changes = append(changes, change)
		}
		delete(there, contact.JID)
	}
	for _, jid := range listed {
		if there[jid] {
			changes = append(changes, BlockChange{JID: jid, Blocked: true})
			delete(there, jid)
		}
	}
	return changes, settled
}

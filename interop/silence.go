package interop

import "go.mau.fi/whatsmeow/types"

// silent tells whether a contact must not learn what becomes of what they send; see [Options.Silent]. If it cannot be found out,
// the connection ends, and what it was about comes again on the next one.
func (c *connection) silent(contact types.JID) (silent, ok bool) {
	r := c.run
	if r.client.options.Silent == nil {
		return false, true
	}
	silent, err := r.client.options.Silent(r.handling, contact.ToNonAD())
	if err != nil {
		c.close(err)
		return false, false
	}
	return silent, true
}

package interop

import "go.mau.fi/whatsmeow/types"

// Answers is what a contact may learn of what becomes of their messages; see [Options.Answers].
type Answers int

const (
	// AnswerAll: delivery receipts, and requests to send again what cannot be decrypted. Theirs are answered.
	AnswerAll Answers = iota
	// AnswerRequests: no receipts. What cannot be decrypted is asked for again, or it would be lost.
	AnswerRequests
	// AnswerNothing: nothing tells that anybody is there.
	AnswerNothing
)

// answers returns what a contact may learn. If it cannot be found out, the connection ends, and what it was about comes again on the
// next one.
func (c *connection) answers(contact types.JID) (answers Answers, ok bool) {
	r := c.run
	if r.client.options.Answers == nil {
		return AnswerAll, true
	}
	answers, err := r.client.options.Answers(r.handling, contact.ToNonAD())
	if err != nil {
		c.close(err)
		return AnswerNothing, false
	}
	return answers, true
}

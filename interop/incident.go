package interop

// Incident is something that a client deals with by itself, but that is worth counting. Nothing about it names anybody.
type Incident string

const (
	// IncidentAskedAgain: a contact's message could not be decrypted, and they were asked for it again.
	IncidentAskedAgain Incident = "asked_again"
	// IncidentSentAgain: a contact's device could not decrypt a message of ours, asked for it again and got it.
	IncidentSentAgain Incident = "sent_again"
	// IncidentNotSentAgain: it did not get it, since it has no right to it, or asked too often.
	IncidentNotSentAgain Incident = "not_sent_again"
	// IncidentPostponed: messages could not be sent for now, and are tried again.
	IncidentPostponed Incident = "postponed"
	// IncidentHandlerFailed: the handler or the store failed, and is tried again.
	IncidentHandlerFailed Incident = "handler_failed"
)

// Incidents are all that there are.
var Incidents = []Incident{IncidentAskedAgain, IncidentSentAgain, IncidentNotSentAgain, IncidentPostponed, IncidentHandlerFailed}

func (r *run) observe(incident Incident) {
	if observe := r.client.options.Observe; observe != nil {
		observe(incident)
	}
}

// Waiting tells how many events were taken from the gatekeeper and are not handled yet.
func (c *Client) Waiting() int {
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current == nil {
		return 0
	}
	current.queues.mu.Lock()
	defer current.queues.mu.Unlock()
	return current.queues.waiting
}

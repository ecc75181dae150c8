package doctor

import (
	"context"
	"fmt"
	"time"
)

const (
	// waitingLong is how old a message for a contact may be that was not sent.
	waitingLong = time.Hour
	// lapseAfter is when a gatekeeper forgets who does not connect [P], lapseNear when there is little time left.
	lapseAfter = 30 * 24 * time.Hour
	lapseNear  = 21 * 24 * time.Hour
)

// users looks at what waits, and for how long. It counts, and names nobody.
func (e *examination) users(ctx context.Context) []Finding {
	if e.store.ours == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	enlistments := e.store.ours.Enlistments()
	var findings []Finding
	waiting, err := enlistments.CountOutbox(ctx)
	if err != nil {
		return []Finding{fault("users.waiting", "The database cannot be read: "+databaseCause(err)+".", readRemedy(err))}
	}
	for _, queue := range waiting {
		if age := e.Now().Sub(queue.Oldest); age > waitingLong {
			findings = append(findings, warning("users.waiting", fmt.Sprintf("Messages that wait for %[2]s: %[1]d, the oldest for %[3]s.", queue.Count, e.Config.GatekeeperName(queue.Gatekeeper), roughly(age)),
				"Look for other findings about the gatekeeper, and for errors in the log. `postern users` says who is not connected."))
		}
	}
	if len(findings) == 0 {
		findings = append(findings, fine("users.waiting", "No message waits for long."))
	}
	lapsing, err := enlistments.CountUnconnected(ctx, e.Now().Add(-lapseNear))
	if err != nil {
		return append(findings, fault("users.lapsing", "The database cannot be read: "+databaseCause(err)+".", readRemedy(err)))
	}
	for _, one := range lapsing {
		left := "within " + roughly(max(one.Oldest.Add(lapseAfter).Sub(e.Now()), time.Hour))
		findings = append(findings, warning("users.lapsing", fmt.Sprintf("Users who were not connected with %[2]s for three weeks: %[1]d. It forgets who is not for 30 days, the first of them %[3]s.",
			one.Count, e.Config.GatekeeperName(one.Gatekeeper), left),
			"Let the bridge run and connect: look for other findings about the gatekeeper. Who was forgotten has to `login` again."))
	}
	if len(lapsing) == 0 {
		findings = append(findings, fine("users.lapsing", "No enlistment is near its end."))
	}
	return append(findings, e.undecryptableFindings()...)
}

func roughly(age time.Duration) string {
	if age >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(age.Hours()/24))
	}
	return fmt.Sprintf("%d hours", max(2, int(age.Hours())))
}

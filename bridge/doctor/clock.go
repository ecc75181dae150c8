package doctor

import (
	"fmt"
	"time"
)

// Limits of clocks. Identity tokens live five minutes, and pushes may be a minute off.
const (
	clockWarning = 30 * time.Second
	clockFault   = 4 * time.Minute
)

// clockFinding compares clocks; off is how far the other one is ahead.
func clockFinding(check, whose string, off time.Duration) Finding {
	distance := off.Abs().Round(time.Second)
	text := fmt.Sprintf("This machine's clock and %s are %s apart.", whose, distance)
	const remedy = "Let both machines keep their time with NTP (timedatectl set-ntp true). Identity tokens live five minutes."
	switch {
	case distance >= clockFault:
		return fault(check, text, remedy)
	case distance >= clockWarning:
		return warning(check, text, remedy)
	}
	return fine(check, fmt.Sprintf("This machine's clock and %s agree.", whose))
}

package connector_test

import (
	"testing"
	"time"

	"postern/bridge/connector"
	"postern/database"
)

// TestNobodyIsForgottenInTwoMonths looks once an hour, as the bridge does, and misses a whole week.
func TestNobodyIsForgottenInTwoMonths(t *testing.T) {
	const kept = 30 * 24 * time.Hour
	start := time.Now()
	connected := make([]time.Time, 1000)
	for i := range connected {
		connected[i] = start
	}
	most, off := 0, start.Add(21*24*time.Hour)
	for now := start; now.Before(start.Add(60 * 24 * time.Hour)); now = now.Add(connector.DueEvery) {
		if now.After(off) && now.Before(off.Add(5*24*time.Hour)) {
			continue // the bridge is off
		}
		due := 0
		for i, last := range connected {
			if now.Sub(last) >= kept {
				t.Fatalf("account %d was away for %s", i, now.Sub(last))
			}
			if connector.IsDue(now, database.AccountID(1+2*i*7919), last) {
				connected[i] = now
				due++
			}
		}
		if now.Before(off) {
			most = max(most, due)
		}
	}
	if most > len(connected)/20 {
		t.Errorf("%d of %d were due in one hour", most, len(connected))
	}
}

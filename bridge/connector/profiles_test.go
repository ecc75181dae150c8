package connector_test

import (
	"strconv"
	"sync"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"

	"postern/bridge/connector"
)

func TestAProfileChangesWhenNobodyUsesIt(t *testing.T) {
	var profiles connector.Profiles
	ghost := &bridgev2.Ghost{Ghost: &mxdatabase.Ghost{ID: contact, Name: "Bob"}}
	named := func(name string) *mxdatabase.Ghost { return &mxdatabase.Ghost{ID: contact, Name: name} }
	profiles.Publish(ghost, named("Robert"))
	if ghost.Name != "Robert" {
		t.Errorf("unused, it is %q", ghost.Name)
	}
	first, second := profiles.Use(contact), profiles.Use(contact)
	other := profiles.Use("wa-somebody")
	profiles.Publish(ghost, named("Rob"))
	profiles.Publish(ghost, named("Bobby"))
	first()
	if ghost.Name != "Robert" {
		t.Errorf("in use, it is %q", ghost.Name)
	}
	second()
	if ghost.Name != "Bobby" {
		t.Errorf("after its use, it is %q", ghost.Name)
	}
	other()
	if left := profiles.InUse(); left != 0 {
		t.Errorf("%d are still in use", left)
	}
}

// TestProfilesAreReadWhileTheyChange is for the race detector.
func TestProfilesAreReadWhileTheyChange(t *testing.T) {
	const readers, rounds = 4, 200
	var profiles connector.Profiles
	ghost := &bridgev2.Ghost{Ghost: &mxdatabase.Ghost{ID: contact, Name: "0"}}
	var work sync.WaitGroup
	for range readers {
		work.Go(func() {
			for range rounds {
				release := profiles.Use(contact)
				if before := ghost.Name; before != ghost.Name {
					t.Error("it changed in the middle of an event")
				}
				release()
			}
		})
	}
	for i := range rounds {
		profiles.Publish(ghost, &mxdatabase.Ghost{ID: contact, Name: strconv.Itoa(i + 1)})
	}
	work.Wait()
	if ghost.Name != strconv.Itoa(rounds) {
		t.Errorf("in the end it is %q", ghost.Name)
	}
}

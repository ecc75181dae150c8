package portal_test

import (
	"testing"

	"postern/portal"
)

// capabilityIDs holds the id of the capabilities of every version. Rooms are told only if the version goes up.
var capabilityIDs = map[int]string{1: "JuumRi8V40WrxwAnBQD1iEFijztI6TI3ZoYWMPXu3Dk"}

func TestCapabilitiesChangeOnlyWithTheirVersion(t *testing.T) {
	if got, want := portal.Capabilities().GetID(), capabilityIDs[portal.CapabilitiesVersion]; got != want {
		t.Errorf("version %d has the id %q, want %q: raise the version", portal.CapabilitiesVersion, got, want)
	}
}

func TestCapabilitiesPromiseOnlyWhatWorks(t *testing.T) {
	features := portal.Capabilities()
	if features.Reply.Partial() || features.Edit.Partial() || features.Delete.Partial() || features.Reaction.Partial() || features.Thread.Partial() {
		t.Errorf("features = %+v", features)
	}
	if features.MaxTextLength != portal.MaxTextLength || !features.ReadReceipts || !features.TypingNotifications {
		t.Errorf("features = %+v", features)
	}
	for kind, file := range features.File {
		// Rejected ones would not reach ToInterop, which says why.
		if level := file.GetMimeSupport("image/png"); level.Reject() || level.Partial() || file.Caption.Reject() {
			t.Errorf("%s has level %d", kind, level)
		}
	}
}

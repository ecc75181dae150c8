package homeserver_test

import (
	"testing"

	"postern/bridge/homeserver"
)

func TestFeaturesOfServers(t *testing.T) {
	for _, test := range []struct {
		software, version string
		want              homeserver.Features
	}{
		{"Synapse", "1.163.2", homeserver.Features{MSC4190: true, Ephemeral: true, Redactions: true, Invites: true}},
		{"Synapse", "1.121.0rc1", homeserver.Features{MSC4190: true, Ephemeral: true, Redactions: true, Invites: true}},
		{"Synapse", "1.120.2", homeserver.Features{Ephemeral: true, Redactions: true, Invites: true}},
		{"Dendrite", "0.15.2", homeserver.Features{}},
		{"Something", "2.0", homeserver.Features{}},
		{"", "", homeserver.Features{}},
	} {
		test.want.Software, test.want.Version = test.software, test.version
		if got := homeserver.GuessFeatures(test.software, test.version); got != test.want {
			t.Errorf("%s %s: %+v", test.software, test.version, got)
		}
	}
}

func TestVersionsAreCompared(t *testing.T) {
	for version, want := range map[string]bool{
		"1.100.0": true, "v1.100": true, "1.99.9": false, "2.0": true, "0.200": false, "1.121.0rc1 (b=main)": true,
		"": false, "new": false, "1": false, "1.x": false,
	} {
		if got := homeserver.AtLeast(version, 1, 100); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestRecentSetForgetsTheOldest(t *testing.T) {
	set := homeserver.NewRecentSet(3)
	for value := range 4 {
		set.Add(value)
		set.Add(value)
	}
	for value, want := range []bool{false, true, true, true, false} {
		if set.Has(value) != want {
			t.Errorf("%d: %v", value, !want)
		}
	}
}

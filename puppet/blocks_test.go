package puppet_test

import (
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/puppet"
)

func TestMergeBlocksFollowsWhicheverSideChanged(t *testing.T) {
	bob := types.NewJID("4915112345678", types.DefaultUserServer)
	for name, test := range map[string]struct {
		blocked, base, listed bool
		change                *puppet.BlockChange
		settled               bool
	}{
		"both equal, not blocked":             {false, false, false, nil, false},
		"both equal, blocked":                 {true, true, true, nil, false},
		"the user blocked":                    {true, false, false, &puppet.BlockChange{JID: bob, Blocked: true, Tell: true}, false},
		"the user unblocked":                  {false, true, true, &puppet.BlockChange{JID: bob, Blocked: false, Tell: true}, false},
		"the gatekeeper's list got it":        {false, false, true, &puppet.BlockChange{JID: bob, Blocked: true}, false},
		"the gatekeeper's list lost it":       {true, true, false, &puppet.BlockChange{JID: bob, Blocked: false}, false},
		"both blocked":                        {true, false, true, nil, true},
		"both unblocked, or told without ack": {false, true, false, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			var listed []types.JID
			if test.listed {
				listed = []types.JID{bob}
			}
			changes, settled := puppet.MergeBlocks([]*puppet.Contact{{JID: bob, Blocked: test.blocked, Listed: test.base}}, listed)
			var want []puppet.BlockChange
			if test.change != nil {
				want = []puppet.BlockChange{*test.change}
			}
			if !slices.Equal(changes, want) {
				t.Errorf("changes are %+v", changes)
			}
			if test.settled != (len(settled) == 1) {
				t.Errorf("settled are %+v", settled)
			}
		})
	}
}

func TestMergeBlocksTakesOverUnknownContactsOnce(t *testing.T) {
	bob, carol := types.NewJID("1", types.DefaultUserServer), types.NewJID("2", types.DefaultUserServer)
	changes, _ := puppet.MergeBlocks(nil, []types.JID{carol, bob, carol})
	if !slices.Equal(changes, []puppet.BlockChange{{JID: carol, Blocked: true}, {JID: bob, Blocked: true}}) {
		t.Errorf("changes are %+v", changes)
	}
}

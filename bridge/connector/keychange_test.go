package connector_test

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/bridge/connector"
)

func TestNoticesAboutKeysAreFew(t *testing.T) {
	bob, carol := types.NewJID("1", types.DefaultUserServer), types.NewJID("2", types.DefaultUserServer)
	now := time.Unix(1_000_000, 0)
	var notices connector.KeyNotices
	expect := func(what string, contact types.JID, at time.Time, compared, held, show, last bool) {
		t.Helper()
		if gotShow, gotLast := notices.Next(contact, at, compared, held); gotShow != show || gotLast != last {
			t.Errorf("%s: shown %t, last %t", what, gotShow, gotLast)
		}
	}
	expect("first", bob, now, false, false, true, false)
	expect("second", bob, now, false, false, true, false)
	expect("third", bob, now, false, false, true, true)
	for range 100 {
		expect("later", bob, now.Add(time.Hour), false, false, false, false)
	}
	expect("somebody else", carol, now, false, false, true, false)
	expect("one that takes a mark away", bob, now.Add(time.Hour), true, false, true, true)
	expect("one that makes messages wait", bob, now.Add(time.Hour), false, true, true, true)
	for range 100 {
		expect("while they wait", bob, now.Add(time.Hour), false, true, false, false)
	}
	notices.Agreed(bob)
	expect("after the user agreed", bob, now.Add(time.Hour), false, true, true, true)
	expect("the next day", bob, now.Add(25*time.Hour), false, false, true, false)
}

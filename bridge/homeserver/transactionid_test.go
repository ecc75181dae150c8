package homeserver_test

import (
	"testing"

	"postern/bridge/homeserver"
)

// TestChangesOfOneSecondAreToldApart: the times of a gatekeeper are full seconds.
func TestChangesOfOneSecondAreToldApart(t *testing.T) {
	edit, message := metaOf("one"), metaOf("one")
	edit.MessageMeta.MXID = "$event"
	of := homeserver.CausedTransactionID
	if of("first", edit) == of("second", edit) || of("first", reactionMeta(nil)) == of("second", reactionMeta(nil)) {
		t.Error("two changes have the same id")
	}
	again := metaOf("one")
	again.MessageMeta.MXID = "$event"
	firstReaction, secondReaction := of("first", reactionMeta(nil)), of("first", reactionMeta(nil))
	if of("first", edit) != of("first", again) || firstReaction != secondReaction {
		t.Error("the same change has two ids")
	}
	if of("first", message) != of("", message) {
		t.Error("it makes a difference what a message came with")
	}
}

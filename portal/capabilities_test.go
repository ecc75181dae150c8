package portal_test

import (
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"postern/portal"
)

// The bridge tells rooms of new capabilities when their id is another one.
func TestCapabilitiesHaveAnIDThatChangesWithThem(t *testing.T) {
	seen := make(map[string]portal.CapabilityLimits)
	for _, limits := range []portal.CapabilityLimits{{}, {Convert: true}, {MaxFile: 1 << 20}, {MaxFile: 2 << 20}} {
		id := portal.Capabilities(limits).ID
		if other, taken := seen[id]; taken || id == "" || id != portal.Capabilities(limits).ID {
			t.Errorf("%+v has the id %q, and so has %+v", limits, id, other)
		}
		seen[id] = limits
	}
}

func TestCapabilitiesPromiseWhatWorks(t *testing.T) {
	const limit = 100 << 20
	features := portal.Capabilities(portal.CapabilityLimits{MaxFile: limit})
	for name, level := range map[string]event.CapabilitySupportLevel{
		"reply": features.Reply, "edit": features.Edit, "delete": features.Delete, "reaction": features.Reaction, "location": features.LocationMessage,
	} {
		if !level.Full() {
			t.Errorf("%s has level %d", name, level)
		}
	}
	if features.Thread.Partial() || features.Poll.Partial() {
		t.Errorf("threads %d, polls %d", features.Thread, features.Poll)
	}
	if features.ReactionCount != 1 || features.EditMaxAge.Duration != 15*time.Minute || features.DeleteMaxAge.Duration != 60*time.Hour {
		t.Errorf("features = %+v", features)
	}
	if features.MaxTextLength != portal.MaxTextLength || !features.ReadReceipts || !features.TypingNotifications {
		t.Errorf("features = %+v", features)
	}
	if features.DisappearingTimer != nil {
		t.Error("it seems that the timer can be set from here")
	}
	for _, kind := range []event.CapabilityMsgType{
		event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgVoice, event.CapMsgGIF, event.CapMsgSticker,
	} {
		file := features.File[kind]
		// Rejected ones would not reach ToInterop, which sends them as something simpler.
		if file == nil || file.GetMimeSupport("application/x-unheard-of").Reject() || file.Caption.Reject() || file.MaxSize != limit {
			t.Errorf("%s: %+v", kind, file)
		}
	}
}

func TestCapabilitiesDependOnTheConverter(t *testing.T) {
	for convert, want := range map[bool]event.CapabilitySupportLevel{true: event.CapLevelFullySupported, false: event.CapLevelPartialSupport} {
		features := portal.Capabilities(portal.CapabilityLimits{Convert: convert})
		for kind, mimeType := range map[event.CapabilityMsgType]string{
			event.CapMsgVoice: "audio/mp4", event.CapMsgGIF: "image/gif", event.CapMsgSticker: "image/png",
		} {
			if got := features.File[kind].GetMimeSupport(mimeType); got != want {
				t.Errorf("converter %t: %s has level %d, want %d", convert, mimeType, got, want)
			}
		}
	}
}

package portal

import (
	"sync"

	"maunium.net/go/mautrix/event"
)

// CapabilitiesVersion goes up with every change of what [Capabilities] returns: bridgev2 compares it with that of the
// last run and then tells all rooms. A test holds the two together.
const CapabilitiesVersion = 1

// MaxTextLength is how many characters WhatsApp takes in one message.
const MaxTextLength = 65_536

// Capabilities tells clients what works in a chat. The result is shared by all callers and must not be changed.
var Capabilities = sync.OnceValue(func() *event.RoomFeatures {
	features := &event.RoomFeatures{
		MaxTextLength: MaxTextLength,
		Formatting: event.FormattingFeatureMap{
			event.FmtBold:           event.CapLevelFullySupported,
			event.FmtItalic:         event.CapLevelFullySupported,
			event.FmtStrikethrough:  event.CapLevelFullySupported,
			event.FmtInlineCode:     event.CapLevelFullySupported,
			event.FmtCodeBlock:      event.CapLevelFullySupported,
			event.FmtBlockquote:     event.CapLevelFullySupported,
			event.FmtUnorderedList:  event.CapLevelFullySupported,
			event.FmtOrderedList:    event.CapLevelFullySupported,
			event.FmtListStart:      event.CapLevelFullySupported,
			event.FmtListJumpValue:  event.CapLevelFullySupported,
			event.FmtHeaders:        event.CapLevelPartialSupport, // bold
			event.FmtInlineLink:     event.CapLevelPartialSupport, // "text (address)"
			event.FmtUserLink:       event.CapLevelPartialSupport, // "@name"
			event.FmtTable:          event.CapLevelPartialSupport, // a line for a row
			event.FmtHorizontalLine: event.CapLevelPartialSupport, // "---"
			event.FmtSpoiler:        event.CapLevelPartialSupport, // "[spoiler] text"
			event.FmtSpoilerReason:  event.CapLevelPartialSupport,
			event.FmtUnderline:      event.CapLevelDropped,
		},
		File:                make(event.FileFeatureMap),
		Reply:               event.CapLevelDropped,
		Edit:                event.CapLevelRejected,
		Delete:              event.CapLevelRejected,
		Reaction:            event.CapLevelRejected,
		ReadReceipts:        true,
		TypingNotifications: true,
	}
	// Not rejected here, although none can be sent yet: what bridgev2 rejects by itself it rejects with "unsupported
	// message type", and [ToInterop] can tell the user more.
	for _, kind := range [...]event.CapabilityMsgType{
		event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgVoice, event.CapMsgGIF, event.CapMsgSticker,
	} {
		features.File[kind] = &event.FileFeatures{
			MimeTypes: map[string]event.CapabilitySupportLevel{"*/*": event.CapLevelUnsupported},
			Caption:   event.CapLevelUnsupported,
		}
	}
	features.ID = features.GetID() // the hash of all that is set
	return features
})

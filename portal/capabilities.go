package portal

import (
	"time"

	"go.mau.fi/util/jsontime"
	"maunium.net/go/mautrix/event"

	"postern/interop"
)

// MaxTextLength is how many characters WhatsApp takes in one message.
const MaxTextLength = 65_536

const (
	// EditMaxAge is how old a message may be to be edited. WhatsApp's help page says 15 minutes; whatsmeow takes edits for 20, so
	// that one that waits in our outbox has some time left.
	EditMaxAge = 15 * time.Minute
	// DeleteMaxAge is how old a message may be to be deleted for everyone. WhatsApp's help page says "about two days"; 60
	// hours is our reading of that, not a published number.
	DeleteMaxAge = 60 * time.Hour
)

// CapabilityLimits is what the capabilities of a chat depend on beside the code.
type CapabilityLimits struct {
	// MaxFile is the largest file that the bridge sends, in bytes; 0 is no limit.
	MaxFile int64
	// Convert: the bridge can convert recordings, GIFs and stickers.
	Convert bool
}

// Capabilities tells clients what works in a chat.
func Capabilities(limits CapabilityLimits) *event.RoomFeatures {
	features := &event.RoomFeatures{
		MaxTextLength:       MaxTextLength,
		Formatting:          formatting(),
		File:                fileFeatures(limits),
		LocationMessage:     event.CapLevelFullySupported,
		Reply:               event.CapLevelFullySupported,
		Edit:                event.CapLevelFullySupported,
		EditMaxAge:          &jsontime.Seconds{Duration: EditMaxAge},
		Delete:              event.CapLevelFullySupported,
		DeleteMaxAge:        &jsontime.Seconds{Duration: DeleteMaxAge},
		Reaction:            event.CapLevelFullySupported,
		ReactionCount:       1,
		ReadReceipts:        true,
		TypingNotifications: true,
		// The bridge takes any message for an accepted request, so clients need not send the event first.
		MessageRequest: &event.MessageRequestFeatures{
			AcceptWithButton: event.CapLevelFullySupported, AcceptWithMessage: event.CapLevelFullySupported,
		},
	}
	features.ID = features.GetID() // the hash of all that is set
	return features
}

func formatting() event.FormattingFeatureMap {
	return event.FormattingFeatureMap{
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
	}
}

// fileFeatures rejects no type: what WhatsApp does not show as what it is goes as a document.
func fileFeatures(limits CapabilityLimits) event.FileFeatureMap {
	converted := event.CapLevelPartialSupport // as something simpler
	if limits.Convert {
		converted = event.CapLevelFullySupported
	}
	feature := func(others event.CapabilitySupportLevel, caption event.CapabilitySupportLevel, full ...string) *event.FileFeatures {
		types := map[string]event.CapabilitySupportLevel{"*/*": others}
		for _, mimeType := range full {
			types[mimeType] = event.CapLevelFullySupported
		}
		file := &event.FileFeatures{MimeTypes: types, Caption: caption, MaxSize: limits.MaxFile}
		if caption.Partial() {
			file.MaxCaptionLength = MaxTextLength
		}
		return file
	}
	full, partial := event.CapLevelFullySupported, event.CapLevelPartialSupport
	return event.FileFeatureMap{
		event.MsgImage:      feature(partial, full, shownTypes[interop.MediaImage]...),
		event.MsgVideo:      feature(partial, full, shownTypes[interop.MediaVideo]...),
		event.MsgAudio:      feature(partial, partial, shownTypes[interop.MediaAudio]...), // with a caption it is a document
		event.MsgFile:       feature(full, full),
		event.CapMsgVoice:   feature(converted, partial, "audio/ogg"),
		event.CapMsgGIF:     feature(converted, full, "video/mp4"),
		event.CapMsgSticker: feature(converted, event.CapLevelDropped, webp), // the body says what it shows
	}
}

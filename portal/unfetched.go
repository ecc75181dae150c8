package portal

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

// RetryEmoji is the reaction to a notice of [Unfetched] that asks for another try. RetryCommand is the command.
const (
	RetryEmoji   = "🔁"
	RetryCommand = "retry"
)

// maxUnfetchedCaption is how much of a caption the notice shows, in characters. It has to be one part: see [Complete].
const maxUnfetchedCaption = 1000

// Unfetched stands in for a message whose file could not be had, under that message's id. [Complete] puts the message in
// its place later. why is a sentence for the user; commandPrefix begins the bridge's commands, such as "!postern", and ""
// offers no other try.
func Unfetched(message *waE2E.Message, why, commandPrefix string) *bridgev2.ConvertedMessage {
	message = unwrap(message)
	file := incomingFile(message)
	if file == nil {
		file = &incoming{kind: kindName("", message), caption: readableText(message)}
	}
	first := "Sent " + file.kind
	if file.name != "" {
		first += " named " + file.fileName()
	}
	caption := markup.Clean(file.caption)
	if short := cutText(caption, maxUnfetchedCaption); short != caption {
		caption = short + "…"
	}
	again := ""
	if commandPrefix != "" {
		again = "To try again, answer this with `" + commandPrefix + " " + RetryCommand + "`, or react with " + RetryEmoji + "."
	}
	parts := textParts(event.MsgNotice, joinLines([]string{first + ", which is missing here. " + why, caption, again}))
	parts[0].DBMetadata = &MessageMetadata{Placeholder: true, Unfetched: true}
	return &bridgev2.ConvertedMessage{Parts: parts}
}

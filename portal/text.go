package portal

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

// maxContentSize is how large the content of one Matrix event may be as JSON, in bytes. Servers take events of 64 KiB;
// encryption adds a third, the envelope about 2 KiB, and a message that replaces a placeholder holds its text twice.
const maxContentSize = 20_000

// cutNotice ends a text that is longer than [MaxTextLength].
const cutNotice = "\n[The rest was cut off: the message is longer than the sender's app allows.]"

// convertText converts a text, in several parts if it is too long for one Matrix event. shown is about a link in it, nil
// if there is nothing.
func convertText(text string, shown *preview, thumbnail *Stored) (*bridgev2.ConvertedMessage, error) {
	parts := textParts(event.MsgText, text)
	if len(parts) == 0 {
		return nil, ignored("empty text")
	}
	if shown != nil {
		shown.addTo(parts[0].Content, thumbnail)
	}
	return &bridgev2.ConvertedMessage{Parts: parts}, nil
}

// Notice is a message of the bridge itself, or about something that a contact did. The text may hold foreign words, and
// is shown without formatting.
func Notice(text string) *bridgev2.ConvertedMessage {
	return &bridgev2.ConvertedMessage{Parts: textParts(event.MsgNotice, text)}
}

// textParts makes the parts of a text; none if it is blank. Notices are not formatted.
func textParts(kind event.MessageType, text string) []*bridgev2.ConvertedMessagePart {
	text = strings.TrimSpace(markup.Clean(text))
	if text == "" {
		return nil
	}
	if cut := runeOffset(text, MaxTextLength); cut < len(text) {
		text = text[:cut] + cutNotice
	}
	var parts []*bridgev2.ConvertedMessagePart
	for _, content := range textContents(kind, text, nil) {
		parts = append(parts, &bridgev2.ConvertedMessagePart{
			ID:         partID(len(parts)),
			Type:       event.EventMessage,
			Content:    content,
			DBMetadata: &MessageMetadata{},
		})
	}
	return parts
}

// textContents appends the contents for a text: one if it fits, else those of its halves. Formatting is given up before
// a text is divided.
func textContents(kind event.MessageType, text string, contents []*event.MessageEventContent) []*event.MessageEventContent {
	content := &event.MessageEventContent{MsgType: kind, Body: text, Mentions: &event.Mentions{}}
	if kind == event.MsgText {
		if formatted, ok := markup.ToHTML(text); ok {
			content.Format, content.FormattedBody = event.FormatHTML, formatted
			if fits(content) {
				return append(contents, content)
			}
			content.Format, content.FormattedBody = "", ""
		}
	}
	if fits(content) || utf8.RuneCountInString(text) < 2 {
		return append(contents, content)
	}
	first, second := divide(text)
	return textContents(kind, second, textContents(kind, first, contents))
}

// fits tells whether a content is small enough for an event.
func fits(content *event.MessageEventContent) bool {
	const worst = 6 // bytes of JSON for one of text, such as < for a less-than sign
	if content.File == nil && content.BeeperLinkPreviews == nil && worst*(len(content.Body)+len(content.FormattedBody)) < maxContentSize/2 {
		return true
	}
	data, err := json.Marshal(content)
	return err == nil && len(data) <= maxContentSize
}

// divide cuts a text near its middle: at a line end, else at a space, else between two characters.
func divide(text string) (first, second string) {
	middle := len(text) / 2
	for _, separator := range [...]string{"\n", " "} {
		if cut := strings.LastIndex(text[:middle], separator); cut > middle/2 {
			return text[:cut], text[cut+1:]
		}
	}
	for middle > 0 && !utf8.RuneStart(text[middle]) {
		middle--
	}
	if middle == 0 {
		_, middle = utf8.DecodeRuneInString(text)
	}
	return text[:middle], text[middle:]
}

// runeOffset returns where the character of the given number begins, or the length of the text if it has fewer.
func runeOffset(text string, number int) int {
	if len(text) <= number {
		return len(text)
	}
	for offset := range text {
		if number == 0 {
			return offset
		}
		number--
	}
	return len(text)
}

// partID names the parts of a message in an order that sorts. The first part's id is empty, as bridgev2 has it for
// messages of one part.
func partID(number int) networkid.PartID {
	if number == 0 {
		return ""
	}
	return networkid.PartID(fmt.Sprintf("%03d", number))
}

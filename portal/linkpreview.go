package portal

import (
	"net/url"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

const (
	// maxLink is how long a link with a preview may be, in bytes.
	maxLink = 1024
	// maxPreviewTitle and maxPreviewText are in characters.
	maxPreviewTitle, maxPreviewText = 200, 500
)

// preview is what is told about a link in a text.
type preview struct{ link, title, description string }

// newPreview returns nil unless the link is one that people can open, is in the text, and something is told about it.
func newPreview(text, link, title, description string) *preview {
	parsed, err := url.Parse(link)
	if err != nil || len(link) > maxLink || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" || !strings.Contains(text, link) {
		return nil
	}
	result := &preview{
		link:        link,
		title:       cutText(oneLine(markup.Clean(title)), maxPreviewTitle),
		description: cutText(oneLine(markup.Clean(description)), maxPreviewText),
	}
	if result.title == "" && result.description == "" {
		return nil
	}
	return result
}

// previewOf returns the preview that came with a contact's text, nil if there is none.
func previewOf(message *waE2E.Message) *preview {
	text := message.ExtendedTextMessage
	if text == nil || message.GetConversation() != "" {
		return nil
	}
	return newPreview(text.GetText(), text.GetMatchedText(), text.GetTitle(), text.GetDescription())
}

func previewThumbnail(message *waE2E.Message) []byte {
	if previewOf(message) == nil {
		return nil
	}
	return message.ExtendedTextMessage.GetJPEGThumbnail()
}

// addTo puts the preview into an event (MSC4095), if there is room. thumbnail is nil if there is none.
func (p *preview) addTo(content *event.MessageEventContent, thumbnail *Stored) {
	shown := &event.BeeperLinkPreview{
		LinkPreview: event.LinkPreview{CanonicalURL: p.link, Title: p.title, Description: p.description},
		MatchedURL:  p.link,
	}
	if thumbnail != nil {
		shown.ImageEncryption, shown.ImageBlurhash = thumbnail.File, thumbnail.Blurhash
		shown.ImageType, shown.ImageSize = thumbnail.MimeType, event.IntOrString(thumbnail.Size)
		shown.ImageWidth, shown.ImageHeight = event.IntOrString(thumbnail.Width), event.IntOrString(thumbnail.Height)
	}
	content.BeeperLinkPreviews = []*event.BeeperLinkPreview{shown}
	if !fits(content) {
		content.BeeperLinkPreviews = nil
	}
}

// previewFor returns the first preview that a client of ours sent with its text. The bridge makes none itself: it would
// have to ask the homeserver, or the page, and either would learn what people write to each other.
func previewFor(content *event.MessageEventContent, text string) *preview {
	for _, given := range content.BeeperLinkPreviews {
		if given != nil {
			return newPreview(text, given.MatchedURL, given.Title, given.Description)
		}
	}
	return nil
}

// fill writes the preview into a text message.
func (p *preview) fill(text *waE2E.ExtendedTextMessage) {
	text.MatchedText, text.Title, text.Description = proto.String(p.link), proto.String(p.title), proto.String(p.description)
}

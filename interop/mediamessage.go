package interop

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// maxDirectPath bounds a direct path, in bytes. WhatsApp's own have under 400, with their query.
const maxDirectPath = 1024

// fileFields are the fields that describe a file, in whichever part of a message they are.
type fileFields struct {
	kind                 MediaKind
	directPath           **string
	key, hash, encrypted *[]byte
	length               **uint64
	created              **int64
}

// fileOf finds the file of a message: an image, video, video note, audio, document (also one with a caption) or sticker.
func fileOf(message *waE2E.Message) *fileFields {
	if inner := message.GetDocumentWithCaptionMessage().GetMessage(); inner != nil {
		message = inner
	}
	if m := message.GetImageMessage(); m != nil {
		return &fileFields{MediaImage, &m.DirectPath, &m.MediaKey, &m.FileSHA256, &m.FileEncSHA256, &m.FileLength, &m.MediaKeyTimestamp}
	} else if m := message.GetStickerMessage(); m != nil {
		return &fileFields{MediaImage, &m.DirectPath, &m.MediaKey, &m.FileSHA256, &m.FileEncSHA256, &m.FileLength, &m.MediaKeyTimestamp}
	} else if m := message.GetAudioMessage(); m != nil {
		return &fileFields{MediaAudio, &m.DirectPath, &m.MediaKey, &m.FileSHA256, &m.FileEncSHA256, &m.FileLength, &m.MediaKeyTimestamp}
	} else if m := message.GetDocumentMessage(); m != nil {
		return &fileFields{MediaDocument, &m.DirectPath, &m.MediaKey, &m.FileSHA256, &m.FileEncSHA256, &m.FileLength, &m.MediaKeyTimestamp}
	}
	for _, m := range []*waE2E.VideoMessage{message.GetVideoMessage(), message.GetPtvMessage()} {
		if m != nil {
			return &fileFields{MediaVideo, &m.DirectPath, &m.MediaKey, &m.FileSHA256, &m.FileEncSHA256, &m.FileLength, &m.MediaKeyTimestamp}
		}
	}
	return nil
}

// MediaIn reads what a contact's message tells about its file; nil if it has none. The message's URL is not looked at: it
// could lead anywhere. Errors: ErrMediaInvalid.
func MediaIn(message *waE2E.Message) (*Media, error) {
	file := fileOf(message)
	if file == nil {
		return nil, nil
	}
	media := &Media{Kind: file.kind}
	for _, field := range []struct {
		name string
		from []byte
		to   *[32]byte
	}{
		{"key", *file.key, &media.Key}, {"hash", *file.hash, &media.SHA256}, {"hash of the encrypted file", *file.encrypted, &media.EncSHA256},
	} {
		if len(field.from) != len(field.to) {
			return nil, fmt.Errorf("%w: %s of %d bytes", ErrMediaInvalid, field.name, len(field.from))
		}
		copy(field.to[:], field.from)
	}
	if *file.length == nil || **file.length > maxMediaLength {
		return nil, fmt.Errorf("%w: no possible length", ErrMediaInvalid)
	}
	media.Length = int64(**file.length)
	if *file.directPath != nil {
		media.DirectPath = **file.directPath
	}
	if _, err := parseDirectPath(media.DirectPath); err != nil {
		return nil, err
	}
	if at := *file.created; at != nil && *at > 0 && *at <= maxUnixSeconds {
		media.Created = time.Unix(*at, 0)
	}
	return media, nil
}

// SetIn puts everything about the file into a message that has a place for it, as found by [MediaIn]; else it returns
// false.
func (m *Media) SetIn(message *waE2E.Message) bool {
	file := fileOf(message)
	if file == nil {
		return false
	}
	*file.directPath = proto.String(m.DirectPath)
	*file.key = append([]byte(nil), m.Key[:]...)
	*file.hash = append([]byte(nil), m.SHA256[:]...)
	*file.encrypted = append([]byte(nil), m.EncSHA256[:]...)
	*file.length = proto.Uint64(uint64(m.Length))
	*file.created = nil
	if !m.Created.IsZero() {
		*file.created = proto.Int64(m.Created.Unix())
	}
	return true
}

// parseDirectPath reads a direct path such as "/v/t62.7118-24/123_n.enc?ccb=11-4": a path and maybe a query, nothing that
// could lead to another host or out of a folder. Errors: ErrMediaInvalid, which does not quote it.
func parseDirectPath(path string) (*url.URL, error) {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || len(path) > maxDirectPath {
		return nil, fmt.Errorf("%w: no direct path", ErrMediaInvalid)
	}
	for _, char := range []byte(path) {
		if char <= ' ' || char > '~' || char == '\\' || char == '#' {
			return nil, fmt.Errorf("%w: characters in the direct path that cannot be", ErrMediaInvalid)
		}
	}
	location, err := url.ParseRequestURI(path)
	if err != nil || location.Host != "" || location.Scheme != "" || strings.Contains(location.Path, `\`) {
		return nil, fmt.Errorf("%w: malformed direct path", ErrMediaInvalid)
	}
	for segment := range strings.SplitSeq(location.Path, "/") { // decoded: %2e is a dot
		if segment == "." || segment == ".." {
			return nil, fmt.Errorf("%w: direct path with dots", ErrMediaInvalid)
		}
	}
	return location, nil
}

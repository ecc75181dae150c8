package portal

import (
	"go.mau.fi/whatsmeow/proto/waE2E"

	"postern/interop"
)

// maxThumbnail is how large a thumbnail inside a message may be, in bytes. The whole message has 64 KiB.
const maxThumbnail = 64 << 10

// Files lists the files that belong to a contact's message, which have to be stored before [ToMatrix] can show it; none
// for most kinds. The error wraps [interop.ErrMediaInvalid]: the message does not tell how to get its file.
func Files(message *waE2E.Message) ([]File, error) {
	if viewOnce(message) {
		return nil, nil
	}
	message = unwrap(message)
	if file := incomingFile(message); file != nil {
		media, err := interop.MediaIn(message)
		if err != nil {
			return nil, err
		}
		return []File{{Media: media, MimeType: plainMimeType(file.mimeType), Thumbnail: boundedThumbnail(file.thumbnail)}}, nil
	}
	var files []File
	cards, _ := contactCards(message)
	for _, card := range cards {
		files = append(files, File{Data: card.data, MimeType: vcardMimeType})
	}
	for _, thumbnail := range [][]byte{previewThumbnail(message), locationThumbnail(message)} {
		if thumbnail = boundedThumbnail(thumbnail); len(thumbnail) > 0 {
			files = append(files, File{Thumbnail: thumbnail, MimeType: "image/jpeg"})
		}
	}
	return files, nil
}

// boundedThumbnail returns nothing instead of a thumbnail that is too large.
func boundedThumbnail(data []byte) []byte {
	if len(data) > maxThumbnail {
		return nil
	}
	return data
}

// file returns one of the stored files, nil if it is not there.
func (c *Context) file(number int) *Stored {
	if c == nil || number >= len(c.Files) || c.Files[number] == nil || c.Files[number].File == nil {
		return nil
	}
	return c.Files[number]
}

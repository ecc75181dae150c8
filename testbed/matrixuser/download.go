package matrixuser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// maxFile bounds a download, in bytes. The testbed's homeservers take no larger files.
const maxFile = 256 << 20

var (
	// ErrNoFile is returned for an event that has no encrypted file.
	ErrNoFile = errors.New("the event has no encrypted file")
	// ErrFileSize is returned for a file that is too large.
	ErrFileSize = errors.New("the file is too large")
)

// DownloadFile fetches and decrypts the file of an event, and checks its hash. A file that is not encrypted is an error.
func (u *User) DownloadFile(ctx context.Context, content *event.MessageEventContent) ([]byte, error) {
	return u.DownloadEncrypted(ctx, content.File)
}

// DownloadEncrypted is DownloadFile for what belongs to an event, such as the thumbnail.
func (u *User) DownloadEncrypted(ctx context.Context, file *event.EncryptedFileInfo) ([]byte, error) {
	var content bytes.Buffer
	if err := u.DownloadEncryptedTo(ctx, file, &content); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}

// DownloadEncryptedTo is DownloadEncrypted for files that are large. What was written must be thrown away after an error.
func (u *User) DownloadEncryptedTo(ctx context.Context, file *event.EncryptedFileInfo, into io.Writer) error {
	if file == nil {
		return ErrNoFile
	}
	encrypted := file.EncryptedFile // decoding the keys changes it, and the event is shared
	err := encrypted.PrepareForDecryption()
	if err != nil {
		return fmt.Errorf("failed to read the key of %s: %w", file.URL, err)
	}
	body, err := u.openStored(ctx, file.URL)
	if err != nil {
		return err
	}
	limited := &io.LimitedReader{R: body, N: maxFile + 1}
	stream := encrypted.DecryptStream(limited)
	_, err = io.Copy(into, stream)
	if err = errors.Join(err, stream.Close(), body.Close()); err == nil && limited.N == 0 {
		err = ErrFileSize
	}
	if err != nil {
		return fmt.Errorf("failed to download %s: %w", file.URL, err)
	}
	return nil
}

// StoredFile returns what the homeserver has of a file: encrypted, if it is.
func (u *User) StoredFile(ctx context.Context, uri id.ContentURIString) ([]byte, error) {
	body, err := u.openStored(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	content, err := io.ReadAll(io.LimitReader(body, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = ErrFileSize
	}
	if err != nil {
		return nil, fmt.Errorf("failed to download %s: %w", uri, err)
	}
	return content, nil
}

// openStored asks the homeserver for a file, as a user who is logged in.
func (u *User) openStored(ctx context.Context, uri id.ContentURIString) (io.ReadCloser, error) {
	parsed, err := uri.Parse()
	if err != nil {
		return nil, fmt.Errorf("failed to parse %s: %w", uri, err)
	}
	response, err := u.Client.Download(ctx, parsed)
	if err != nil {
		return nil, fmt.Errorf("failed to download %s: %w", uri, err)
	}
	return response.Body, nil
}

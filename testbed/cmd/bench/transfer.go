package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

const (
	fileName = "file.bin"
	fileType = "application/octet-stream"
	// transferTimeout bounds the way of one file.
	transferTimeout = time.Minute
)

var errNoFileCame = errors.New("something else came in the place of the file")

// transfer is a file that can be sent again and again. It was encrypted and uploaded to the server of the sender's app
// beforehand, as long as nothing is measured, and the receiver's app does not download it by itself: what is left are the
// message and what the bridge does.
type transfer struct {
	name string
	// send returns when the sender's server has the message.
	send func(ctx context.Context) error
	// expect prepares to wait; arrived returns when the receiver's client has the message, decrypted. check downloads the
	// file as the receiver and holds it to what was sent.
	expect func() (arrived func(ctx context.Context) (check func(ctx context.Context) error, err error))
	// copy lets curl carry the same encrypted bytes between the same servers. It needs a folder.
	copy func(ctx context.Context, curl *curl, dir string) error
}

// pass sends the file once and returns how long it took until it was there.
func (t *transfer) pass(ctx context.Context) (took time.Duration, check func(context.Context) error, err error) {
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	arrived := t.expect()
	start := time.Now()
	if err = t.send(ctx); err == nil {
		check, err = arrived(ctx)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return time.Since(start), check, nil
}

// fileChat is a chat in which files are sent.
type fileChat struct {
	stack  *stack.Stack
	user   *stack.BridgeUser
	device *whatsapp.Device
	room   id.RoomID
}

func newFileChat(ctx context.Context, s *stack.Stack, user *stack.BridgeUser, name string) (*fileChat, error) {
	contact, err := s.NewContact(ctx, name, 1)
	if err != nil {
		return nil, err
	}
	room, err := user.StartChat(ctx, contact.Phone)
	return &fileChat{s, user, contact.Device(), room}, err
}

// transfers uploads a file to both sides and returns both its ways.
func (c *fileChat) transfers(ctx context.Context, file *payload) (in, out *transfer, err error) {
	if in, err = c.toMatrix(ctx, file); err == nil {
		out, err = c.toWhatsApp(ctx, file)
	}
	return in, out, err
}

// toMatrix is compared with fetching from the gatekeeper's media host to the disk and uploading from there.
func (c *fileChat) toMatrix(ctx context.Context, file *payload) (*transfer, error) {
	message, err := c.device.UploadMedia(ctx, whatsmeow.MediaDocument, file.open(),
		whatsapp.MediaOptions{FileName: fileName, MimeType: fileType})
	if err != nil {
		return nil, err
	}
	source := c.stack.Gatekeeper.MediaURL().String() + message.GetDocumentMessage().GetDirectPath()
	target := c.stack.Homeserver.URL() + "/_matrix/media/v3/upload"
	return &transfer{
		name: "WhatsApp to Matrix",
		send: func(ctx context.Context) error {
			_, err := c.device.Send(ctx, c.user.Address, message)
			return err
		},
		expect: func() func(context.Context) (func(context.Context) error, error) {
			mark := c.user.Mark()
			return func(ctx context.Context) (func(context.Context) error, error) {
				evt, err := c.user.WaitAfter(ctx, mark, "file", c.fromContact)
				if err != nil {
					return nil, err
				}
				content := evt.Content.AsMessage()
				if content.File == nil {
					return nil, fmt.Errorf("%w: %s", errNoFileCame, content.Body)
				}
				return func(ctx context.Context) error { return c.checkMatrix(ctx, content, file) }, nil
			}
		},
		copy: func(ctx context.Context, curl *curl, dir string) error {
			stored := filepath.Join(dir, fileName)
			if err := curl.get(ctx, source, "", stored); err != nil {
				return err
			}
			return curl.post(ctx, target, c.user.Account().AccessToken, stored)
		},
	}, nil
}

// toWhatsApp is compared with fetching from the homeserver to the disk, where the bridge keeps what the gatekeeper fetches.
func (c *fileChat) toWhatsApp(ctx context.Context, file *payload) (*transfer, error) {
	content, err := c.user.UploadFile(ctx, matrixuser.FileOptions{
		MsgType: event.MsgFile, FileName: fileName, MimeType: fileType, Reader: file.open(), Size: file.size,
	})
	if err != nil {
		return nil, err
	}
	uri, err := content.File.URL.Parse()
	if err != nil {
		return nil, fmt.Errorf("failed to parse the address of an upload: %w", err)
	}
	source := fmt.Sprintf("%s/_matrix/client/v1/media/download/%s/%s", c.stack.Homeserver.URL(), uri.Homeserver, uri.FileID)
	return &transfer{
		name: "Matrix to WhatsApp",
		send: func(ctx context.Context) error {
			_, err := c.user.Send(ctx, c.room, content)
			return err
		},
		expect: func() func(context.Context) (func(context.Context) error, error) {
			mark := c.device.Mark()
			return func(ctx context.Context) (func(context.Context) error, error) {
				evt, err := c.device.WaitAfter(ctx, mark, "file", func(evt any) bool {
					_, ok := evt.(*events.Message)
					return ok
				})
				if err != nil {
					return nil, err
				}
				message := evt.(*events.Message).Message
				return func(ctx context.Context) error { return c.checkWhatsApp(ctx, message, file) }, nil
			}
		},
		copy: func(ctx context.Context, curl *curl, dir string) error {
			return curl.get(ctx, source, c.user.Account().AccessToken, filepath.Join(dir, fileName))
		},
	}, nil
}

// fromContact matches every message in the room that the user did not write.
func (c *fileChat) fromContact(evt *event.Event) bool {
	return matrixuser.MessageIn(c.room, "", "")(evt) && evt.Sender != c.user.ID()
}

func (c *fileChat) checkMatrix(ctx context.Context, content *event.MessageEventContent, file *payload) error {
	reader, writer := io.Pipe()
	defer reader.Close()
	go func() { writer.CloseWithError(c.user.DownloadEncryptedTo(ctx, content.File, writer)) }()
	return file.check(reader)
}

// checkWhatsApp has the file in plain on the disk for a while, where the contacts' own files are.
func (c *fileChat) checkWhatsApp(ctx context.Context, message *waE2E.Message, file *payload) error {
	stored, err := os.CreateTemp(c.stack.Dir("contacts"), fileName)
	if err != nil {
		return fmt.Errorf("failed to make a file: %w", err)
	}
	defer os.Remove(stored.Name())
	defer stored.Close()
	if err = c.device.DownloadTo(ctx, message, stored); err != nil {
		return err
	}
	if _, err = stored.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("failed to read a file: %w", err)
	}
	return file.check(stored)
}

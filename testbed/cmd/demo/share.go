package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/whatsapp"
)

var errOtherBytes = errors.New("a file did not arrive as it was sent")

// share is about everything that is not text: pictures and files each way, and what people do to messages.
func (s *scene) share(ctx context.Context) error {
	s.view.title("They send pictures and files, react, answer, change and delete")
	picture, sent, err := s.bobSendsPicture(ctx)
	if err != nil {
		return err
	}
	if err = s.aliceReacts(ctx, picture, sent); err != nil {
		return err
	}
	if err = s.aliceSendsFile(ctx, picture); err != nil {
		return err
	}
	return s.bobChangesHisMind(ctx)
}

// bobSendsPicture returns the message as Alice has it, and its id at Bob.
func (s *scene) bobSendsPicture(ctx context.Context) (*event.Event, types.MessageID, error) {
	const width, height = 320, 200
	data, err := sunset(width, height)
	if err != nil {
		return nil, "", err
	}
	const caption = "The *postern*, seen from outside"
	mark := s.alice.Mark()
	sent, err := s.bob.Device().SendMedia(ctx, s.alice.Address, whatsmeow.MediaImage, bytes.NewReader(data), whatsapp.MediaOptions{
		MimeType: "image/png", Caption: caption, Width: width, Height: height,
	})
	if err != nil {
		return nil, "", err
	}
	s.view.right("Bob", "[picture] "+caption, fmt.Sprintf("%d bytes, encrypted on his phone", len(data)))
	received, err := s.alice.WaitAfter(ctx, mark, "picture", matrixuser.FileIn(s.chat, "", event.MsgImage))
	if err != nil {
		return nil, "", err
	}
	content := received.Content.AsMessage()
	got, err := s.alice.DownloadFile(ctx, content)
	if err == nil && !bytes.Equal(got, data) {
		err = errOtherBytes
	}
	if err != nil {
		return nil, "", err
	}
	onHomeserver, err := s.fileOnHomeserver(ctx, content, data)
	if err != nil {
		return nil, "", err
	}
	s.view.left("Alice receives", "[picture] "+content.Body,
		fmt.Sprintf("%d × %d, the same %d bytes", content.Info.Width, content.Info.Height, len(got)), onHomeserver)
	return received, sent, nil
}

func (s *scene) aliceReacts(ctx context.Context, picture *event.Event, sent types.MessageID) error {
	if _, err := s.alice.React(ctx, s.chat, picture.ID, "❤️"); err != nil {
		return err
	}
	heard, err := s.bob.Device().WaitMessageWhere(ctx, "reaction", func(message *events.Message) bool {
		return message.Message.GetReactionMessage().GetKey().GetID() == sent
	})
	if err != nil {
		return err
	}
	s.view.right("Bob sees", "Alice reacted with "+heard.Message.GetReactionMessage().GetText())
	return nil
}

func (s *scene) aliceSendsFile(ctx context.Context, picture *event.Event) error {
	data := []byte(strings.Repeat("A postern is the small side gate of a castle.\n", 2000))
	if _, err := s.alice.SendFile(ctx, s.chat, matrixuser.FileOptions{
		MsgType: event.MsgFile, FileName: "castle.txt", Caption: "Its history", MimeType: "text/plain", Data: data,
	}); err != nil {
		return err
	}
	s.view.left("Alice", "[castle.txt] Its history", fmt.Sprintf("%d bytes, encrypted by her client", len(data)))
	heard, err := s.bob.Device().WaitMessageWhere(ctx, "file", func(message *events.Message) bool {
		return message.Message.GetDocumentMessage() != nil || message.Message.GetDocumentWithCaptionMessage() != nil
	})
	if err != nil {
		return err
	}
	got, err := s.bob.Device().Download(ctx, heard.Message)
	if err == nil && !bytes.Equal(got, data) {
		err = errOtherBytes
	}
	if err != nil {
		return err
	}
	s.view.right("Bob receives", "[castle.txt] Its history", fmt.Sprintf("the same %d bytes, by way of the partner server", len(got)))
	if _, err = s.alice.Reply(ctx, s.chat, picture, "That one belongs to your picture."); err != nil {
		return err
	}
	answer, err := s.bob.Device().WaitMessage(ctx, "That one belongs")
	if err != nil {
		return err
	}
	quoted := answer.Message.GetExtendedTextMessage().GetContextInfo().GetQuotedMessage().GetImageMessage().GetCaption()
	s.view.right("Bob receives", fmt.Sprintf("> %s\n%s", quoted, text(answer)))
	return nil
}

// bobChangesHisMind edits a message and then deletes it.
func (s *scene) bobChangesHisMind(ctx context.Context) error {
	mark := s.alice.Mark()
	sent, err := s.bob.Device().SendText(ctx, s.alice.Address, "Lunch at noon?")
	if err != nil {
		return err
	}
	received, err := s.alice.WaitAfter(ctx, mark, "message", matrixuser.MessageIn(s.chat, "", "Lunch at noon?"))
	if err != nil {
		return err
	}
	s.view.left("Alice receives", "Lunch at noon?")
	if _, err = s.bob.Device().Edit(ctx, s.alice.Address, sent, "Lunch at one?"); err != nil {
		return err
	}
	if _, err = s.alice.WaitAfter(ctx, mark, "edit", matrixuser.EditOf(received.ID)); err != nil {
		return err
	}
	s.view.left("Alice sees", "Lunch at one? (edited)")
	if _, err = s.bob.Device().Delete(ctx, s.alice.Address, sent); err != nil {
		return err
	}
	if _, err = s.alice.WaitAfter(ctx, mark, "deletion", matrixuser.RedactionOf(received.ID)); err != nil {
		return err
	}
	s.view.left("Alice sees", "(message deleted)")
	return nil
}

// sunset paints a picture.
func sunset(width, height int) ([]byte, error) {
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			light := uint8(255 * (height - y) / height)
			picture.Set(x, y, color.RGBA{R: 255 - light/3, G: light/2 + 60, B: light, A: 255})
		}
	}
	var data bytes.Buffer
	err := png.Encode(&data, picture)
	return data.Bytes(), err
}

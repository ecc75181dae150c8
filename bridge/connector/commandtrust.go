package connector

import (
	"context"
	"fmt"
	"strings"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"

	"postern/puppet"
)

const argsContact = "[_phone number_ or _Matrix ID_]"

// trustCommands are about security codes.
func trustCommands() []commands.CommandHandler {
	return []commands.CommandHandler{
		&commands.FullHandler{
			Func: showCode, Name: "code", Aliases: []string{"security-code"},
			Help: commands.HelpMeta{
				Section: commands.HelpSectionChats, Args: argsContact,
				Description: "Show the security code of a contact, to compare it with what their app shows: `code` in the chat, or `code +49 151 12345678`",
			},
		},
		&commands.FullHandler{
			Func: verifyCode, Name: "verify",
			Help: commands.HelpMeta{
				Section: commands.HelpSectionChats, Args: argsContact,
				Description: "Mark the security code that `code` showed as compared, such as `verify` in the chat, or `verify +49 151 12345678`",
			},
		},
		&commands.FullHandler{
			Func: func(ce *commands.Event) { aboutAnyone(ce, "trust +49 151 12345678", (*Client).Trust) }, Name: "trust",
			Help: commands.HelpMeta{
				Section: commands.HelpSectionChats, Args: argsContact,
				Description: "Send what waits because the security code of a contact changed (see `settings hold-on-new-key on`), " +
					"such as `trust` in the chat, or `trust +49 151 12345678`",
			},
		},
	}
}

func showCode(ce *commands.Event) {
	client, jid, err := contactOfCommand(ce, "code +49 151 12345678")
	if err != nil {
		answer(ce, "", err)
		return
	}
	code, err := client.SecurityCode(ce.Ctx, jid)
	if err != nil {
		answer(ce, "", err)
		return
	}
	contact, _, err := client.chat(jid)
	if err != nil {
		answer(ce, "", refusal(textNoContact))
		return
	}
	client.codes.put(jid.ToNonAD(), code.Digits)
	ce.Reply(textCode(client.contactName(ce.Ctx, contact), code, commandFor(ce, "verify"), commandFor(ce, "trust")))
	if err = postCodeImage(ce, code); err != nil {
		zerolog.Ctx(ce.Ctx).Err(err).Msg("Failed to show the picture of a security code")
	}
}

// commandFor is what a user writes for another command about the same contact.
func commandFor(ce *commands.Event, name string) string {
	if ce.Portal != nil {
		name = ce.Bridge.Config.CommandPrefix + " " + name
	}
	return strings.TrimSpace(name + " " + cutWord(ce.RawArgs))
}

// postCodeImage shows the QR code, if the room is encrypted.
func postCodeImage(ce *commands.Event, code *SecurityCode) error {
	image, size, err := puppet.CodeImage(code.Digits)
	if err != nil {
		return err
	}
	const name, kind = "security-code.png", "image/png"
	_, file, err := ce.Bot.UploadMedia(ce.Ctx, ce.OrigRoomID, image, name, kind)
	if err != nil {
		return fmt.Errorf("failed to upload the picture: %w", err)
	} else if file == nil {
		return nil // the digits are there
	}
	_, err = ce.Bot.SendMessage(ce.Ctx, ce.OrigRoomID, event.EventMessage, &event.Content{Parsed: &event.MessageEventContent{
		MsgType: event.MsgImage, Body: name, FileName: name, File: file, Mentions: &event.Mentions{},
		Info: &event.FileInfo{MimeType: kind, Width: size, Height: size, Size: len(image)},
	}}, nil)
	return err
}

// verifyCode marks the code that the user saw last. Somebody who types it is checked by the digits.
func verifyCode(ce *commands.Event) {
	aboutAnyone(ce, "verify +49 151 12345678", func(c *Client, ctx context.Context, jid types.JID) (string, error) {
		digits := c.codes.get(jid.ToNonAD())
		if digits == "" {
			return "", refusal("Please write `code` first, and compare what it shows with your contact's app.")
		}
		return c.Verify(ctx, jid, digits)
	})
}

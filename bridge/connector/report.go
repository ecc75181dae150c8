package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/adminroom"
	"postern/bridge/audit"
	"postern/bridge/limits"
	"postern/portal"
	"postern/puppet"
)

// Users report contacts to the server's admins, with the messages that they choose. What they attach leaves the chat only for the
// admins' room, which has to be encrypted; nothing of it is stored or logged here.

const (
	// maxReported is how many messages one report may have.
	maxReported = 20
	// maxQuote and maxOwnWords bound the text that is quoted of each message, and the user's own, in bytes; all of it has to fit into an
	// event of 64 KiB.
	maxQuote    = 1500
	maxOwnWords = 1000
	// maxReportFile is the largest file that is attached, in bytes. Its encrypted copy on the homeserver is pointed to, so this bounds
	// what an admin downloads, not what is sent.
	maxReportFile = 32 << 20
)

// Report is what a user tells the admins.
type Report struct {
	// Messages are the events that are attached, at most 20. If there are none, Last is how many of the newest are.
	Messages []id.EventID
	Last     int
	// Reason is the user's own words.
	Reason string
	// Block: the contact is blocked in the same step.
	Block bool
}

// Report tells the admins about a contact. It returns a sentence for the user. Errors for the user are of type [refusal].
func (c *Client) Report(ctx context.Context, jid types.JID, report Report) (string, error) {
	switch {
	case len(report.Messages) > maxReported, report.Last > maxReported, report.Last < 0:
		return "", refusal(fmt.Sprintf("One report may have %d messages. Please choose the ones that matter.", maxReported))
	case len(report.Reason) > maxOwnWords:
		return "", refusal(fmt.Sprintf("Your own words may have %d letters at most.", maxOwnWords))
	}
	contact, _, err := c.chat(jid)
	if err != nil {
		return "", refusal(textNoContact)
	}
	var limited *limits.Error
	if err = c.network.limits.Take(ctx, c.login.UserMXID, limits.Reports, 1); errors.As(err, &limited) {
		return "", refusal(limited.Sentence())
	} else if err != nil {
		return "", err
	}
	attached, err := c.reported(ctx, jid, &report)
	if err != nil {
		return "", err
	}
	text := textReport(reportHead{
		User: c.login.UserMXID, Name: c.contactName(ctx, contact), Contact: puppet.CodeIdentifier(jid), Gatekeeper: c.gatekeeperName(),
		Reason: report.Reason, Blocked: report.Block,
	}, attached)
	contents := []*event.MessageEventContent{{MsgType: event.MsgText, Body: text, Mentions: &event.Mentions{}}}
	for _, message := range attached {
		if file := reportedFile(message.content); file != nil {
			contents = append(contents, file)
		}
	}
	for _, content := range contents {
		if _, err = c.network.adminPost.SendEncrypted(ctx, content); errors.Is(err, adminroom.ErrNotEncrypted) {
			return "", refusal(textNoReportRoom)
		} else if err != nil {
			return "", fmt.Errorf("failed to send a report: %w", err)
		}
	}
	zerolog.Ctx(ctx).Info().Int("messages", len(attached)).Msg("A user reported a contact")
	c.network.audit.Note(ctx, audit.Report, c.login.UserMXID, c.auditedAbout(contact))
	done := fmt.Sprintf("Reported to this server's admins, with %d messages. %s has no way to take reports from here today.", len(attached), c.gatekeeperName())
	if !report.Block {
		return done, nil
	}
	blocked, err := c.Block(ctx, jid)
	return done + " " + blocked, err
}

// reportedMessage is a message as the admins get it.
type reportedMessage struct {
	at   time.Time
	from portal.Direction
	// content is nil if the message cannot be read any more.
	content *event.MessageEventContent
}

// reported reads the messages that a report has, in their order.
func (c *Client) reported(ctx context.Context, jid types.JID, report *Report) ([]reportedMessage, error) {
	_, key, err := c.chat(jid)
	if err != nil {
		return nil, refusal(textNoContact)
	}
	room, err := c.room(ctx, key)
	if err != nil || room == "" {
		return nil, err
	}
	var rows []*mxdatabase.Message
	for _, evt := range report.Messages {
		row, err := c.network.bridge.DB.Message.GetPartByMXID(ctx, evt)
		if err != nil {
			return nil, fmt.Errorf("failed to look for a reported message: %w", err)
		} else if row == nil || row.Room != key {
			return nil, refusal("The message that you answered is not one of this chat. Please answer the message that you want to report.")
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 && report.Last > 0 {
		newest, err := c.network.bridge.DB.Message.GetLastNInPortal(ctx, key, 2*maxReported) // notices are among them
		if err != nil {
			return nil, fmt.Errorf("failed to look for reported messages: %w", err)
		}
		slices.SortFunc(newest, func(a, b *mxdatabase.Message) int {
			// In the order in which the bridge got them: a contact's times are whole seconds, the user's are not.
			return cmp.Compare(b.RowID, a.RowID)
		})
		rows = newest
	}
	var messages []reportedMessage
	for _, row := range rows { // the newest first
		direction, _, _, err := portal.ParseMessageID(row.ID)
		if err != nil || direction == portal.FromBridge || len(report.Messages) == 0 && len(messages) == report.Last {
			continue
		}
		messages = append([]reportedMessage{{at: row.Timestamp, from: direction, content: c.contentOf(ctx, room, row.MXID)}}, messages...)
	}
	return messages, nil
}

// reportedFile points to a file of a message, nil if there is none or it is too large.
func reportedFile(content *event.MessageEventContent) *event.MessageEventContent {
	if content == nil || content.File == nil || content.Info != nil && content.Info.Size > maxReportFile {
		return nil
	}
	kind := content.MsgType
	if kind == event.CapMsgSticker {
		kind = event.MsgImage
	}
	file := &event.MessageEventContent{
		MsgType: kind, Body: content.GetFileName(), FileName: content.GetFileName(), File: content.File, Mentions: &event.Mentions{},
	}
	if content.Info != nil {
		file.Info = &event.FileInfo{MimeType: content.Info.MimeType, Size: content.Info.Size, Width: content.Info.Width, Height: content.Info.Height}
	}
	return file
}

type reportHead struct {
	User                              id.UserID
	Name, Contact, Gatekeeper, Reason string
	Blocked                           bool
}

// textReport is what the admins read. It is plain text, so nothing in it is taken for formatting.
func textReport(head reportHead, messages []reportedMessage) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s reports %s (%s on %s).\n", head.User, head.Name, head.Contact, head.Gatekeeper)
	if head.Reason != "" {
		fmt.Fprintf(&text, "They say: %s\n", head.Reason)
	}
	if head.Blocked {
		text.WriteString("They block the contact.\n")
	}
	fmt.Fprintf(&text, "%s has no interface for reports today, so this stays here.\n", head.Gatekeeper)
	for _, message := range messages {
		who := "the contact"
		if message.from == portal.FromUser {
			who = "the user"
		}
		fmt.Fprintf(&text, "\n%s, %s:\n> %s\n", message.at.UTC().Format("2 January 2006 15:04 UTC"), who, strings.ReplaceAll(quoteReported(message.content), "\n", "\n> "))
	}
	return text.String()
}

// quoteReported is the text of a message, or what stands for it.
func quoteReported(content *event.MessageEventContent) string {
	switch {
	case content == nil:
		return "(cannot be read any more)"
	case content.File != nil && reportedFile(content) == nil:
		return fmt.Sprintf("(a file of %d MiB, too large to attach: %s)", content.Info.Size>>20, cutText(content.GetFileName(), maxQuote))
	case content.File != nil:
		return fmt.Sprintf("(a file, see below: %s) %s", cutText(content.GetFileName(), maxQuote), cutText(content.GetCaption(), maxQuote))
	default:
		return cutText(content.Body, maxQuote)
	}
}

// cutText bounds a text to about most bytes, without half letters.
func cutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "… (cut)"
}

const textNoReportRoom = "Reports have nowhere to go: the administrator of this bridge has not set up an encrypted room for them. Nothing was sent. " +
	"You can still `block` the contact."

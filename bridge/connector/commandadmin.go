package connector

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/bridge/users"
)

// maxUserLines is how many users the bot lists in a message.
const maxUserLines = 30

// adminCommands are those of admins for users.
func (n botCommands) adminCommands() []commands.CommandHandler {
	handler := func(name, description, args string, do func(*commands.Event)) commands.CommandHandler {
		return &commands.FullHandler{
			Func: do, Name: name, RequiresAdmin: true,
			Help: commands.HelpMeta{Section: commands.HelpSectionAdmin, Description: description, Args: args},
		}
	}
	return []commands.CommandHandler{
		handler("suspend", "Disconnect a user and refuse what they write, until `unsuspend`", "<_user ID_> <_reason, which the user reads_>", n.suspendUser),
		handler("unsuspend", "End a suspension", "<_user ID_>", n.unsuspendUser),
		handler("users", "List who is enlisted; search for a part of the user ID, a gatekeeper, a state, or `suspended`", "[_search_]", n.users),
		handler("users-export", "Get the list as a file", "`csv` or `json` [_search_]", n.usersExport),
	}
}

func (n botCommands) suspendUser(ce *commands.Event) {
	name, reason, _ := strings.Cut(ce.RawArgs, " ")
	user, reason, err := users.ParseSuspension(name, reason, n.Domain)
	if err != nil {
		ce.Reply("%s Usage: `$cmdprefix suspend <user ID> <reason>`", AsSentence(err))
		return
	}
	err = n.suspend(ce.Ctx, user, reason, ce.User.MXID)
	switch {
	case errors.Is(err, users.ErrSuspendedAlready):
		ce.Reply("%s is suspended already.", user)
	case err != nil:
		ce.Log.Err(err).Stringer("subject", user).Msg("Failed to suspend a user")
		ce.Reply("%s", TextBridgeProblem)
	default:
		ce.Reply("%s", textSuspendDone(user))
	}
}

// textSuspendDone is for admins.
func textSuspendDone(user id.UserID) string {
	return fmt.Sprintf("%s is suspended and was told why. Nothing is erased. A gatekeeper forgets who is not connected for 30 days; who comes back after "+
		"that has to enlist again, and keeps the chats.", user)
}

func (n botCommands) unsuspendUser(ce *commands.Event) {
	user, err := users.ParseLocal(strings.TrimSpace(ce.RawArgs), n.Domain)
	if err != nil {
		ce.Reply("%s Usage: `$cmdprefix unsuspend <user ID>`", AsSentence(err))
		return
	}
	err = n.unsuspend(ce.Ctx, user, ce.User.MXID)
	switch {
	case errors.Is(err, users.ErrNotSuspended):
		ce.Reply("%s is not suspended.", user)
	case err != nil:
		ce.Log.Err(err).Stringer("subject", user).Msg("Failed to end a suspension")
		ce.Reply("%s", TextBridgeProblem)
	default:
		ce.Reply("%s is not suspended any more and was told so.", user)
	}
}

func (n botCommands) users(ce *commands.Event) {
	search := strings.TrimSpace(ce.RawArgs)
	found, err := users.List(ce.Ctx, n.Database, search, 0, maxUserLines+1)
	if err != nil {
		ce.Log.Err(err).Msg("Failed to list users")
		ce.Reply("%s", TextBridgeProblem)
		return
	}
	n.audit.Note(ce.Ctx, audit.Listing, ce.User.MXID, audit.About{Subject: search})
	if len(found) == 0 {
		ce.Reply("Nobody was found.")
		return
	}
	var lines []string
	for _, user := range found[:min(len(found), maxUserLines)] {
		lines = append(lines, html.EscapeString(user.Line()))
	}
	if len(found) > maxUserLines {
		lines = append(lines, fmt.Sprintf("There are more than %d. Search for less, or take `users-export`.", maxUserLines))
	}
	ce.ReplyAdvanced(strings.Join(lines, "<br>\n"), false, true)
}

func (n botCommands) usersExport(ce *commands.Event) {
	format, search, _ := strings.Cut(ce.RawArgs, " ")
	write := map[string]func(*bytes.Buffer, []users.Listed) error{
		"csv":  func(b *bytes.Buffer, list []users.Listed) error { return users.WriteCSV(b, list) },
		"json": func(b *bytes.Buffer, list []users.Listed) error { return users.WriteJSON(b, list) },
	}[format]
	if write == nil {
		ce.Reply("Usage: `$cmdprefix users-export csv [search]`, or `json` instead of `csv`")
		return
	}
	search = strings.TrimSpace(search)
	found, err := users.List(ce.Ctx, n.Database, search, 0, users.MaxListed)
	var content bytes.Buffer
	if err == nil {
		err = write(&content, found)
	}
	if err == nil {
		name := "postern-users-" + time.Now().UTC().Format(time.DateOnly) + "." + format
		err = n.sendFile(ce, name, map[string]string{"csv": "text/csv", "json": "application/json"}[format], content.Bytes())
	}
	if err != nil {
		ce.Log.Err(err).Msg("Failed to send a list of users")
		ce.Reply("%s", TextBridgeProblem)
		return
	}
	n.audit.Note(ce.Ctx, audit.Listing, ce.User.MXID, audit.About{Subject: search})
}

// sendFile sends a file to the user's own room with the bot, encrypted, wherever the command came from.
func (n botCommands) sendFile(ce *commands.Event, name, mimeType string, content []byte) error {
	room, err := ce.User.GetManagementRoom(ce.Ctx)
	if err != nil {
		return fmt.Errorf("failed to find the user's room with the bot: %w", err)
	}
	file, err := n.Matrix.UploadMedia(ce.Ctx, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	_, err = n.Matrix.BotIntent().SendMessage(ce.Ctx, room, event.EventMessage, &event.Content{Parsed: &event.MessageEventContent{
		MsgType: event.MsgFile, Body: name, File: file, Info: &event.FileInfo{MimeType: mimeType, Size: len(content)}, Mentions: &event.Mentions{},
	}}, nil)
	if err != nil {
		return fmt.Errorf("failed to send a file: %w", err)
	}
	return nil
}

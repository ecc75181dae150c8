package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"
)

// exportCommand sends users what is stored about them.
func (d *Daemon) exportCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: func(ce *commands.Event) {
			err := d.sendExport(ce)
			switch {
			case errors.Is(err, errNobody):
				ce.Reply("This bridge stores nothing about you.")
			case err != nil:
				ce.Log.Err(err).Msg("Failed to send a user what is stored about them")
				ce.Reply("%s", textBridgeProblem)
			}
		},
		Name: "export",
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionAuth,
			Description: "Get a file with all that the bridge stores about you",
		},
	}
}

// sendExport sends the file to the user's own room with the bot, encrypted, wherever the command came from.
func (d *Daemon) sendExport(ce *commands.Event) error {
	now := time.Now()
	content, err := d.network.dataOf().exportOf(ce.Ctx, ce.User.MXID, now)
	if err != nil {
		return err
	}
	room, err := ce.User.GetManagementRoom(ce.Ctx)
	if err != nil {
		return fmt.Errorf("failed to find the user's room with the bot: %w", err)
	}
	file, err := d.matrix.UploadMedia(ce.Ctx, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	_, err = d.matrix.BotIntent().SendMessage(ce.Ctx, room, event.EventMessage, &event.Content{Parsed: &event.MessageEventContent{
		MsgType: event.MsgFile, Body: "postern-export-" + now.UTC().Format("2006-01-02") + ".json", File: file,
		Info: &event.FileInfo{MimeType: "application/json", Size: len(content)}, Mentions: &event.Mentions{},
	}}, nil)
	if err != nil {
		return fmt.Errorf("failed to send a file: %w", err)
	}
	return nil
}

func (n *Network) dataOf() *dataOf {
	return &dataOf{database: n.Database, records: n.records, domain: n.Domain, name: n.gatekeeperName}
}

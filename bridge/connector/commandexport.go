package connector

import (
	"errors"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"

	"postern/bridge/users"
)

// exportCommand sends users what is stored about them.
func (n botCommands) exportCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: func(ce *commands.Event) {
			err := n.sendExport(ce)
			switch {
			case errors.Is(err, users.ErrNobody):
				ce.Reply("This bridge stores nothing about you.")
			case err != nil:
				ce.Log.Err(err).Msg("Failed to send a user what is stored about them")
				ce.Reply("%s", TextBridgeProblem)
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
func (n botCommands) sendExport(ce *commands.Event) error {
	now := time.Now()
	content, err := n.dataOf().Export(ce.Ctx, ce.User.MXID, now)
	if err != nil {
		return err
	}
	return n.sendFile(ce, "postern-export-"+now.UTC().Format(time.DateOnly)+".json", "application/json", content)
}

// dataOf finds what is stored of users.
func (n *Network) dataOf() *users.Data {
	return &users.Data{Database: n.Database, Records: n.records, Domain: n.Domain, Name: n.gatekeeperName}
}

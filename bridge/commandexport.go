package bridge

import (
	"errors"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"
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
	return d.sendFile(ce, "postern-export-"+now.UTC().Format(time.DateOnly)+".json", "application/json", content)
}

func (n *Network) dataOf() *dataOf {
	return &dataOf{database: n.Database, records: n.records, domain: n.Domain, name: n.gatekeeperName}
}

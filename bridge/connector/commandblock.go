package connector

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/commands"

	"postern/bridge/homeserver"
	"postern/puppet"
)

// blockCommands are about whom users keep away.
func blockCommands() []commands.CommandHandler {
	return []commands.CommandHandler{
		&commands.FullHandler{
			Func: func(ce *commands.Event) { aboutAnyone(ce, "block +49 151 12345678", (*Client).Block) }, Name: "block",
			Help: commands.HelpMeta{
				Section: commands.HelpSectionChats, Args: argsContact,
				Description: "Keep someone away: you see nothing of them, and they are not told. `block` in the chat, or `block +49 151 12345678`",
			},
		},
		&commands.FullHandler{
			Func: func(ce *commands.Event) { aboutAnyone(ce, "unblock +49 151 12345678", (*Client).Unblock) }, Name: "unblock",
			Help: commands.HelpMeta{
				Section: commands.HelpSectionChats, Args: argsContact,
				Description: "Let someone write to you again whom you blocked, such as `unblock +49 151 12345678`",
			},
		},
		&commands.FullHandler{
			Func: listBlocked, Name: "blocks",
			Help: commands.HelpMeta{
				Section: commands.HelpSectionChats, Args: "[_gatekeeper_]", Description: "List the people whom you blocked",
			},
		},
	}
}

// maxBlockedListed is how many blocked contacts one answer lists.
const maxBlockedListed = 100

func listBlocked(ce *commands.Event) {
	clients, _ := chooseClients(ce.User, ce.Args)
	if len(clients) == 0 {
		ce.Reply("%s", textNotEnlisted)
	}
	for _, client := range clients {
		if err := client.compareIgnored(ce.Ctx); err != nil && !errors.Is(err, homeserver.ErrNoPuppet) {
			zerolog.Ctx(ce.Ctx).Warn().Err(err).Msg("Failed to look whom a user ignores")
		}
		blocked, err := client.Blocked(ce.Ctx)
		if err != nil {
			answer(ce, "", err)
			continue
		} else if len(blocked) == 0 {
			ce.Reply("You blocked nobody on %s.", client.gatekeeperName())
			continue
		}
		var text strings.Builder
		fmt.Fprintf(&text, "You blocked %d on %s:\n", len(blocked), client.gatekeeperName())
		for _, jid := range blocked[:min(len(blocked), maxBlockedListed)] {
			if contact, _, err := client.chat(jid); err == nil {
				fmt.Fprintf(&text, "\n* %s: `unblock %s`", escape(client.contactName(ce.Ctx, contact)), puppet.CodeIdentifier(jid))
			}
		}
		ce.Reply("%s", text.String())
	}
}

package connector

import (
	"fmt"
	"slices"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
)

// settingsCommand shows and changes what users can set.
func (n botCommands) settingsCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: n.settings,
		Name: "settings",
		Help: commands.HelpMeta{
			Section: commands.HelpSectionChats,
			Description: "See or change who may write to you, what contacts see of you, and how chats behave, such as " +
				"`settings read-receipts off`",
			Args: "[_gatekeeper_] [_setting_ _value_]",
		},
	}
}

func (n botCommands) settings(ce *commands.Event) {
	clients, args := chooseClients(ce.User, ce.Args)
	switch {
	case len(clients) == 0:
		ce.Reply("%s", textNotEnlisted)
	case len(args) == 0:
		for _, client := range clients {
			ce.Reply("%s", textSettings(client))
		}
	case len(args) != 2:
		ce.Reply("Usage: `$cmdprefix settings`, or `$cmdprefix settings <setting> <value>` such as `$cmdprefix settings read-receipts off`")
	default:
		for _, client := range clients {
			done, err := client.ChangeSetting(ce.Ctx, args[0], args[1])
			answer(ce, done, err)
		}
	}
}

// chooseClients returns a user's clients, or the one of the gatekeeper that the first argument names, and the other arguments.
func chooseClients(user *bridgev2.User, args []string) ([]*Client, []string) {
	clients := clientsOf(user)
	if len(args) > 0 {
		for _, client := range clients {
			if client.enlistment != nil && strings.EqualFold(client.enlistment.Gatekeeper, args[0]) {
				return []*Client{client}, args[1:]
			}
		}
	}
	return clients, args
}

// clientsOf returns the clients of a user who is enlisted, also of enlistments that lapsed, by gatekeeper.
func clientsOf(user *bridgev2.User) []*Client {
	var clients []*Client
	for _, login := range user.GetUserLogins() {
		if client, ok := login.Client.(*Client); ok && client.enlistment != nil {
			clients = append(clients, client)
		}
	}
	slices.SortFunc(clients, func(a, b *Client) int { return strings.Compare(a.enlistment.Gatekeeper, b.enlistment.Gatekeeper) })
	return clients
}

// textSettings lists all settings in plain words, each with what to write to change it.
func textSettings(c *Client) string {
	var text strings.Builder
	fmt.Fprintf(&text, "Your settings for **%s**:\n", c.gatekeeperName())
	for _, info := range c.Settings() {
		fmt.Fprintf(&text, "\n* **%s** is `%s`: %s", info.About, info.Value, info.Means)
		for _, other := range info.Other {
			if other.Word != info.Value {
				fmt.Fprintf(&text, "\n  * `settings %s %s`: %s", info.Name, other.Word, other.Means)
			}
		}
	}
	return text.String()
}

package connector

import (
	"context"
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2/commands"
)

// requestsCommand lists who asks.
func requestsCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: func(ce *commands.Event) {
			clients, _ := chooseClients(ce.User, ce.Args)
			if len(clients) == 0 {
				ce.Reply("%s", textNotEnlisted)
			}
			for _, client := range clients {
				list, err := client.Requests(ce.Ctx, maxListed)
				if err != nil {
					answer(ce, "", err)
					continue
				}
				ce.Reply("%s", textRequests(client.gatekeeperName(), list))
			}
		},
		Name: "requests",
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionChats,
			Description: "List the people who ask to write to you",
			Args:        "[_gatekeeper_]",
		},
	}
}

func acceptCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: func(ce *commands.Event) {
			aboutContact(ce, "accept +49 151 12345678", func(ctx context.Context, c *Client, jid types.JID) (string, error) {
				return textAccepted, c.Accept(ctx, jid)
			})
		},
		Name: "accept",
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionChats,
			Description: "Let someone write to you who asked, or whom you declined, such as `accept +49 151 12345678`",
			Args:        "[_gatekeeper_] <_phone number_>",
		},
	}
}

func declineCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: func(ce *commands.Event) {
			clients, args := chooseClients(ce.User, ce.Args)
			if len(args) == 1 && strings.EqualFold(args[0], "all") {
				for _, client := range clients {
					declined, err := client.DeclineAll(ce.Ctx)
					answer(ce, fmt.Sprintf("Declined %d who asked on %s.", declined, client.gatekeeperName()), err)
				}
				return
			}
			aboutContact(ce, "decline +49 151 12345678", func(ctx context.Context, c *Client, jid types.JID) (string, error) {
				return textDeclinedContact, c.Decline(ctx, jid)
			})
		},
		Name: "decline",
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionChats,
			Description: "Refuse someone who asks to write to you, for good, such as `decline +49 151 12345678`, or `decline all`",
			Args:        "[_gatekeeper_] <_phone number_>",
		},
	}
}

func undeclineCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: func(ce *commands.Event) {
			aboutContact(ce, "undecline +49 151 12345678", func(ctx context.Context, c *Client, jid types.JID) (string, error) {
				return textUndeclined, c.Undecline(ctx, jid)
			})
		},
		Name: "undecline",
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionChats,
			Description: "Let someone ask again whom you declined, such as `undecline +49 151 12345678`",
			Args:        "[_gatekeeper_] <_phone number_>",
		},
	}
}

// aboutContact runs a command about a contact, whom its arguments name, or else the chat that it is written in.
func aboutContact(ce *commands.Event, example string, do func(ctx context.Context, c *Client, jid types.JID) (string, error)) {
	clients, args := chooseClients(ce.User, ce.Args)
	switch {
	case len(clients) == 0:
		ce.Reply("%s", textNotEnlisted)
		return
	case len(args) == 0 && ce.Portal != nil:
		for _, client := range clients {
			if client.login.ID == ce.Portal.Receiver {
				_, jid, err := contactJID(ce.Portal.PortalKey)
				if err == nil {
					var done string
					done, err = do(ce.Ctx, client, jid)
					answer(ce, done, err)
					return
				}
			}
		}
		ce.Reply("This is not your chat.")
		return
	case len(args) == 0:
		ce.Reply("Please say who is meant, such as `$cmdprefix %s`.", example)
		return
	}
	for _, client := range clients {
		jid, found, err := client.contactByAddress(ce.Ctx, strings.Join(args, " "))
		if err == nil && !found {
			continue
		}
		var done string
		if err == nil {
			done, err = do(ce.Ctx, client, jid)
		}
		answer(ce, done, err)
		return
	}
	ce.Reply("%s", textNoRequest)
}

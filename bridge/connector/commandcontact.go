package connector

import (
	"context"
	"strings"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/id"

	"postern/portal"
)

// aboutAnyone runs a command about a contact, whom its arguments name, or else the chat that it is written in. Unlike aboutContact it
// takes people about whom nothing was decided.
func aboutAnyone(ce *commands.Event, example string, do func(c *Client, ctx context.Context, jid types.JID) (string, error)) {
	client, jid, err := contactOfCommand(ce, example)
	done := ""
	if err == nil {
		done, err = do(client, ce.Ctx, jid)
	}
	answer(ce, done, err)
}

// contactOfCommand finds out who is meant. Errors for the user are of type [refusal].
func contactOfCommand(ce *commands.Event, example string) (*Client, types.JID, error) {
	clients, args := chooseClients(ce.User, ce.Args)
	switch {
	case len(clients) == 0:
		return nil, types.EmptyJID, refusal(textNotEnlisted)
	case len(args) > 0:
		return findContact(ce.Ctx, clients, strings.Join(args, " "))
	case ce.Portal == nil:
		return nil, types.EmptyJID, refusal("Please say who is meant, such as `" + example + "`.")
	}
	for _, client := range clients {
		if client.login.ID == ce.Portal.Receiver {
			_, jid, err := contactJID(ce.Portal.PortalKey)
			return client, jid, err
		}
	}
	return nil, types.EmptyJID, refusal("This is not your chat.")
}

// findContact finds a contact by the Matrix ID of their puppet, or by a phone number in international form, which is looked up at the
// gatekeeper unless something was decided about it. The first of the user's gatekeepers that knows the number counts.
func findContact(ctx context.Context, clients []*Client, words string) (*Client, types.JID, error) {
	if strings.HasPrefix(words, "@") {
		user, ok := clients[0].network.Matrix.ParseGhostMXID(id.UserID(words))
		gatekeeper, jid, err := portal.ParseUserID(user)
		for _, client := range clients {
			if ok && err == nil && client.enlistment.Gatekeeper == gatekeeper {
				return client, jid, nil
			}
		}
		return nil, types.EmptyJID, refusal("That is not the Matrix ID of somebody whom this bridge shows to you.")
	}
	var problem error = refusal(textNoContact)
	for _, client := range clients {
		if jid, found, err := client.contactByAddress(ctx, words); err == nil && found {
			return client, jid, nil
		} else if !client.IsLoggedIn() {
			continue
		}
		client.reach(ctx)
		contact, err := client.interop.Resolve(ctx, words)
		if err == nil {
			return client, contact.JID, nil
		}
		zerolog.Ctx(ctx).Info().Err(err).Msg("A contact was not found")
		problem = refusal(textResolveFailed(client.gatekeeperName(), err))
	}
	return nil, types.EmptyJID, problem
}

package connector

import (
	"context"
	"net/http"
	"strings"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"

	"postern/bridge/settings"
)

// What the provisioning interface has for contacts and settings: the same functions that the commands call.

// contactRoutes are part of provisioning.routes.
func contactRoutes() map[string]provisionHandler {
	return map[string]provisionHandler{
		"GET /postern/v1/settings":        provisionSettings,
		"PUT /postern/v1/settings/{name}": provisionSetting,
		"GET /postern/v1/requests":        provisionRequests,
		"POST /postern/v1/requests/decline": func(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
			return eachAnswer(user, r, func(c *Client) (declinedAnswer, error) {
				declined, err := c.DeclineAll(ctx)
				return declinedAnswer{declined}, err
			})
		},
		"POST /postern/v1/contacts/{contact}/accept": aboutProvisioned(askingContact, func(c *Client, ctx context.Context, jid types.JID) (string, error) {
			return textAccepted, c.Accept(ctx, jid)
		}),
		"POST /postern/v1/contacts/{contact}/decline": aboutProvisioned(askingContact, func(c *Client, ctx context.Context, jid types.JID) (string, error) {
			return textDeclinedContact, c.Decline(ctx, jid)
		}),
		"POST /postern/v1/contacts/{contact}/undecline": aboutProvisioned(askingContact, func(c *Client, ctx context.Context, jid types.JID) (string, error) {
			return textUndeclined, c.Undecline(ctx, jid)
		}),
	}
}

// provisionedClients are the user's enlistments that a request is about: all, or the one of the gatekeeper in the query.
func provisionedClients(user *bridgev2.User, r *http.Request) ([]*Client, error) {
	clients := clientsOf(user)
	if gatekeeper := r.URL.Query().Get("gatekeeper"); gatekeeper != "" {
		clients, _ = chooseClients(user, []string{gatekeeper})
		if len(clients) != 1 || !strings.EqualFold(clients[0].enlistment.Gatekeeper, gatekeeper) {
			return nil, notFound("You are not enlisted with this gatekeeper.")
		}
	}
	if len(clients) == 0 {
		return nil, notFound(textNotEnlisted)
	}
	return clients, nil
}

// aboutProvisioned makes a request of something that is done about a contact, and answered with a sentence.
func aboutProvisioned(find contactFinder, do func(c *Client, ctx context.Context, jid types.JID) (string, error)) provisionHandler {
	return func(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
		client, jid, err := find(ctx, user, r)
		if err != nil {
			return nil, err
		}
		message, err := do(client, ctx, jid)
		return done{Message: message}, err
	}
}

// contactFinder finds the contact that the path names, and the user's client that is meant.
type contactFinder func(ctx context.Context, user *bridgev2.User, r *http.Request) (*Client, types.JID, error)

// askingContact finds contacts about whom something was decided, or who ask for it.
func askingContact(ctx context.Context, user *bridgev2.User, r *http.Request) (*Client, types.JID, error) {
	clients, err := provisionedClients(user, r)
	if err != nil {
		return nil, types.EmptyJID, err
	}
	for _, client := range clients {
		jid, found, err := client.contactByAddress(ctx, r.PathValue("contact"))
		if found || err != nil {
			return client, jid, err
		}
	}
	return nil, types.EmptyJID, notFound(textNoRequest)
}

// eachAnswer collects what is answered for each gatekeeper.
func eachAnswer[T any](user *bridgev2.User, r *http.Request, ask func(c *Client) (T, error)) (map[string]T, error) {
	clients, err := provisionedClients(user, r)
	if err != nil {
		return nil, err
	}
	answers := make(map[string]T, len(clients))
	for _, client := range clients {
		if answers[client.enlistment.Gatekeeper], err = ask(client); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func provisionSettings(_ context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	return eachAnswer(user, r, func(c *Client) ([]SettingInfo, error) { return c.Settings(), nil })
}

// declinedAnswer is how many who asked were declined at once.
type declinedAnswer struct {
	Declined int `json:"declined"`
}

// settingInput is the word that a setting is to be.
type settingInput struct {
	Value string `json:"value"`
}

func provisionSetting(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	var input settingInput
	if err := readInput(r, &input); err != nil {
		return nil, err
	} else if input.Value == "" {
		return nil, badInput("`value` is missing.")
	} else if settings.Find(r.PathValue("name")) == nil {
		return nil, notFound("There is no such setting.")
	}
	return eachAnswer(user, r, func(c *Client) (done, error) {
		message, err := c.ChangeSetting(ctx, r.PathValue("name"), input.Value)
		return done{Message: message}, err
	})
}

func provisionRequests(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	return eachAnswer(user, r, func(c *Client) (*RequestList, error) { return c.Requests(ctx, maxListed) })
}

// anyContact finds contacts about whom nothing may be decided yet, too: by the Matrix ID of their puppet, or by their
// number, which is looked up.
func anyContact(ctx context.Context, user *bridgev2.User, r *http.Request) (*Client, types.JID, error) {
	clients, err := provisionedClients(user, r)
	if err != nil {
		return nil, types.EmptyJID, err
	}
	return findContact(ctx, clients, r.PathValue("contact"))
}

package connector

import (
	"context"
	"net/http"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/puppet"
)

// What the provisioning interface has for blocks and security codes.

// trustRoutes are part of provisioning.routes.
func trustRoutes() map[string]provisionHandler {
	return map[string]provisionHandler{
		"GET /postern/v1/blocks":                      provisionBlocks,
		"POST /postern/v1/contacts/{contact}/block":   aboutProvisioned(anyContact, (*Client).Block),
		"POST /postern/v1/contacts/{contact}/unblock": aboutProvisioned(anyContact, (*Client).Unblock),
		"POST /postern/v1/contacts/{contact}/trust":   aboutProvisioned(anyContact, (*Client).Trust),
		"GET /postern/v1/contacts/{contact}/code":     provisionCode,
		"POST /postern/v1/contacts/{contact}/verify":  provisionVerify,
		"POST /postern/v1/contacts/{contact}/report":  provisionReport,
	}
}

// blockedContact is one whom the user blocked.
type blockedContact struct {
	Contact networkid.UserID `json:"contact"`
	Name    string           `json:"name"`
	Address string           `json:"address"`
}

func provisionBlocks(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	return eachAnswer(user, r, func(c *Client) ([]blockedContact, error) {
		blocked, err := c.Blocked(ctx)
		contacts := make([]blockedContact, 0, len(blocked))
		for _, jid := range blocked {
			if contact, _, err := c.chat(jid); err == nil {
				contacts = append(contacts, blockedContact{contact, c.contactName(ctx, contact), puppet.CodeIdentifier(jid)})
			}
		}
		return contacts, err
	})
}

// codeAnswer is a security code. The picture that the bot shows is a QR code of the digits, in numeric mode.
type codeAnswer struct {
	Digits   string `json:"digits"`
	Compared bool   `json:"compared"`
	// Stale: another code was compared, before the keys changed. Held: messages wait until the user agrees.
	Stale bool `json:"stale"`
	Held  bool `json:"held"`
}

func provisionCode(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	client, jid, err := anyContact(ctx, user, r)
	if err != nil {
		return nil, err
	}
	code, err := client.SecurityCode(ctx, jid)
	if err != nil {
		return nil, err
	}
	return codeAnswer{Digits: code.Digits, Compared: code.Compared, Stale: code.Stale, Held: code.Held}, nil
}

// verifyInput are the digits that the user compared.
type verifyInput struct {
	Digits string `json:"digits"`
}

func provisionVerify(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	var input verifyInput
	if err := readInput(r, &input); err != nil {
		return nil, err
	} else if input.Digits == "" {
		return nil, badInput("`digits` is missing.")
	}
	return aboutProvisioned(anyContact, func(c *Client, ctx context.Context, jid types.JID) (string, error) {
		return c.Verify(ctx, jid, input.Digits)
	})(ctx, user, r)
}

// reportInput is what the admins get: the messages that are named, or else so many of the newest.
type reportInput struct {
	Messages []id.EventID `json:"messages,omitempty"`
	Last     int          `json:"last,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Block    bool         `json:"block,omitempty"`
}

func provisionReport(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	var input reportInput
	if err := readInput(r, &input); err != nil {
		return nil, err
	} else if len(input.Messages) == 0 && input.Last == 0 && input.Reason == "" {
		return nil, badInput("A report has messages, or words of your own.")
	}
	return aboutProvisioned(anyContact, func(c *Client, ctx context.Context, jid types.JID) (string, error) {
		return c.Report(ctx, jid, Report(input))
	})(ctx, user, r)
}

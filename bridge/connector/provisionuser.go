package connector

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"

	"postern/bridge/users"
	"postern/database"
)

// What the provisioning interface has for the user as a whole.

// routes are all requests, below /_matrix/provision.
func (n provisioning) routes() map[string]provisionHandler {
	routes := contactRoutes()
	maps.Copy(routes, trustRoutes())
	routes["GET /postern/v1/export"] = n.export
	routes["GET /postern/v1/erase"] = n.pending
	routes["POST /postern/v1/erase"] = n.erase
	routes["POST /postern/v1/eea"] = n.changeEEA
	routes["POST /postern/v1/retry"] = n.retry
	return routes
}

func (n provisioning) export(ctx context.Context, user *bridgev2.User, _ *http.Request) (any, error) {
	content, err := n.dataOf().Export(ctx, user.MXID, n.Clock.Now())
	if errors.Is(err, users.ErrNobody) {
		return nil, notFound("This bridge stores nothing about you.")
	}
	return json.RawMessage(content), err
}

// eraseInput asks for the word that the bot asks for, too.
type eraseInput struct {
	Confirm bool `json:"confirm"`
}

// leavingAnswer names the gatekeepers that the user leaves. What becomes of it, the bot tells.
type leavingAnswer struct {
	Leaving []string `json:"leaving"`
	Message string   `json:"message"`
}

func (n provisioning) erase(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	var input eraseInput
	if err := readInput(r, &input); err != nil {
		return nil, err
	} else if !input.Confirm {
		return nil, badInput("Erasing cannot be undone, so `confirm` has to be true.")
	}
	enlistments, err := n.enlistments.OfUser(ctx, user.MXID.String())
	if err != nil {
		return nil, err
	}
	answer := leavingAnswer{Leaving: []string{}, Message: textWhatStays}
	for _, enlistment := range enlistments {
		if enlistment.State != database.Leaving {
			if err = n.leave(ctx, enlistment); err != nil {
				return nil, err
			}
		}
		answer.Leaving = append(answer.Leaving, enlistment.Gatekeeper)
	}
	return answer, nil
}

// pending says what is not erased yet, as sentences.
func (n provisioning) pending(ctx context.Context, user *bridgev2.User, _ *http.Request) (any, error) {
	configured := func(gatekeeper string) bool { return n.gatekeeper(gatekeeper) != nil }
	pending, err := n.dataOf().Pending(ctx, user.MXID, configured)
	messages := make(map[string]string, len(pending))
	for _, one := range pending {
		messages[one.Gatekeeper] = one.Sentence(n.Clock.Now())
	}
	return struct {
		Pending map[string]string `json:"pending"`
	}{messages}, err
}

// eeaInput declares to live in the EEA, or withdraws that, for one gatekeeper or for all that ask for it.
type eeaInput struct {
	Declared   *bool  `json:"declared"`
	Gatekeeper string `json:"gatekeeper,omitempty"`
}

func (n provisioning) changeEEA(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	var input eeaInput
	if err := readInput(r, &input); err != nil {
		return nil, err
	} else if input.Declared == nil {
		return nil, badInput("`declared` is missing.")
	}
	change := n.withdrawEEA
	if *input.Declared {
		change = n.confirmEEA
	}
	answers := make(map[string]string)
	err := n.eachEEA(ctx, user, func(entry *Gatekeeper, enlistment *database.Enlistment) error {
		if input.Gatekeeper != "" && input.Gatekeeper != entry.ID {
			return nil
		}
		answer, err := change(ctx, user, entry, enlistment)
		answers[entry.ID] = answer
		return err
	})
	if err == nil && len(answers) == 0 {
		err = notFound(textNobodyAsksEEA)
	}
	return struct {
		Messages map[string]string `json:"messages"`
	}{answers}, err
}

// retryInput is a chat, and a message in it if not all of it.
type retryInput struct {
	Room  id.RoomID  `json:"room_id"`
	Event id.EventID `json:"event_id,omitempty"`
}

// retryAnswer says how many files are there now, and why others are not.
type retryAnswer struct {
	Fetched  int      `json:"fetched"`
	Problems []string `json:"problems"`
}

func (n provisioning) retry(ctx context.Context, user *bridgev2.User, r *http.Request) (any, error) {
	var input retryInput
	if err := readInput(r, &input); err != nil {
		return nil, err
	} else if input.Room == "" {
		return nil, badInput("`room_id` is missing.")
	}
	chat, err := n.bridge.GetPortalByMXID(ctx, input.Room)
	if err != nil {
		return nil, err
	}
	client := clientOfChat(user, chat)
	if client == nil {
		return nil, notFound("This is not your chat.")
	} else if !client.IsLoggedIn() {
		return nil, forbidden("You are not enlisted any more, or suspended.")
	}
	messages, err := client.unfetchedOf(ctx, chat, input.Event)
	answer := retryAnswer{Problems: []string{}}
	for _, messageID := range messages {
		if retryErr := client.retryFile(ctx, messageID); retryErr != nil {
			zerolog.Ctx(ctx).Warn().Err(retryErr).Str(fieldMessage, RawMessageID(messageID)).Msg("A file could not be had again")
			answer.Problems = append(answer.Problems, textRetryFailed(client.gatekeeperName(), client.maxFile(), retryErr))
		} else {
			answer.Fetched++
		}
	}
	return answer, err
}

// clientOfChat returns the user's client that a chat belongs to, nil if it is not theirs.
func clientOfChat(user *bridgev2.User, chat *bridgev2.Portal) *Client {
	if chat == nil {
		return nil
	}
	for _, login := range user.GetUserLogins() {
		if client, ok := login.Client.(*Client); ok && login.ID == chat.Receiver {
			return client
		}
	}
	return nil
}

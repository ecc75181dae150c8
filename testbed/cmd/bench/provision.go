package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"postern/testbed/stack"
)

const (
	// enlistedAtOnce is how many users are made and enlisted side by side: more do not make the homeserver faster.
	enlistedAtOnce = 8
	// enlistTries is how often a user tries to enlist, with a pause between two tries that begins with firstEnlistPause and
	// doubles: half a minute in all. On a machine that is overloaded the gatekeeper may not answer in time, and the bridge says that it
	// should be tried again.
	enlistTries      = 6
	firstEnlistPause = time.Second
	// enlistTimeout bounds one try, in which the bridge waits up to a minute for the gatekeeper.
	enlistTimeout = 90 * time.Second
	// maxProvisioningAnswer bounds what is read of an answer of the bridge.
	maxProvisioningAnswer = 64 << 10
)

var errProvisioning = errors.New("the bridge's provisioning interface refused")

// enlistMany registers Matrix users, a few side by side, and enlists each through the interface that Matrix clients use, with the
// admin's secret. Nobody talks to the bot. The first user with whom that does not work ends it.
func enlistMany(ctx context.Context, s *stack.Stack, count int) error {
	secrets, err := s.Bridge.Secrets()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(enlistedAtOnce)
	for i := range count {
		group.Go(func() error {
			name := idleName(i)
			account, err := s.Homeserver.CreateUser(ctx, name, "password of "+name)
			if err != nil {
				return err
			}
			return insist(ctx, enlistTries, firstEnlistPause, "enlist "+account.UserID, func() error {
				ctx, cancel := context.WithTimeout(ctx, enlistTimeout)
				defer cancel()
				return enlistOne(ctx, s, secrets.ProvisioningSecret, account.UserID)
			})
		})
	}
	return group.Wait()
}

// insist calls fn up to so many times, with a pause between two calls that doubles. Its error says what was tried, how often, and why
// the last try failed.
func insist(ctx context.Context, tries int, pause time.Duration, what string, fn func() error) error {
	for try := 1; ; try++ {
		err := fn()
		if err == nil {
			return nil
		} else if try == tries || ctx.Err() != nil {
			return fmt.Errorf("failed to %s, tried %d times: %w", what, try, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause *= 2
	}
}

// idleName is the name of one of the users.
func idleName(number int) string { return fmt.Sprintf("idle-%d", number) }

// loginStep is where a login stands.
type loginStep struct {
	Login string `json:"login_id"`
	Type  string `json:"type"`
	Step  string `json:"step_id"`
	Input struct {
		Fields []struct {
			ID string `json:"id"`
		} `json:"fields"`
	} `json:"user_input"`
}

// enlistOne answers yes to whatever is asked.
func enlistOne(ctx context.Context, s *stack.Stack, secret, user string) error {
	var step loginStep
	if err := provision(ctx, s, secret, user, "start/"+stack.GatekeeperID, nil, &step); err != nil {
		return err
	}
	login := step.Login
	for step.Type != "complete" {
		answers := make(map[string]string)
		for _, field := range step.Input.Fields {
			answers[field.ID] = "yes"
		}
		path := fmt.Sprintf("step/%s/%s/%s", login, step.Step, step.Type)
		if err := provision(ctx, s, secret, user, path, answers, &step); err != nil {
			return err
		}
	}
	return nil
}

func provision(ctx context.Context, s *stack.Stack, secret, user, path string, body, into any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("failed to encode a request: %w", err)
	}
	address := s.Bridge.URL() + "/_matrix/provision/v3/login/" + path + "?user_id=" + url.QueryEscape(user)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("failed to make a request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("failed to enlist %s: %w", user, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxProvisioningAnswer))
	if err != nil {
		return fmt.Errorf("failed to enlist %s: %w", user, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s for %s: status %d: %s", errProvisioning, path, user, response.StatusCode, answer)
	}
	if err = json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("failed to understand an answer about %s: %w", user, err)
	}
	return nil
}

package homeserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
)

var (
	// ErrTokenRefused: the homeserver does not know the registration.
	ErrTokenRefused = errors.New("the homeserver does not accept the as_token: is registration.yaml listed in its configuration, was it restarted since, and has config.yaml the same token?")
	// ErrNamespace: the homeserver knows the token, but not the bot's name.
	ErrNamespace = errors.New("the homeserver accepts the as_token but not the bot: do homeserver.domain, bot_username and username_template agree with registration.yaml?")
	// ErrUnreachable: the homeserver cannot reach the bridge.
	ErrUnreachable = errors.New("the homeserver cannot reach the bridge: does appservice.address lead to appservice.listen from where the homeserver runs, and has registration.yaml the same url and hs_token?")
)

const (
	// connectRetry is how long to wait between two tries to reach the homeserver at start.
	connectRetry = 2 * time.Second
	// pingTries times connectRetry is how long the homeserver may fail to reach us before that is an error.
	pingTries = 15
)

// connect waits for the homeserver, checks that it and the bridge accept each other, logs the bot's device in, lets
// transactions in and finds out what comes in them.
func (c *Connector) connect(ctx context.Context) error {
	versions, err := c.waitForVersions(ctx)
	if err != nil {
		return err
	}
	c.SpecVersions = versions
	*c.AS.SpecVersions = *versions
	c.Capabilities.AutoJoinInvites = versions.Supports(mautrix.BeeperFeatureAutojoinInvites)

	whoami, err := c.Bot.Whoami(ctx)
	if err != nil {
		return startError("failed to ask the homeserver who the bot is", err)
	} else if whoami.UserID != c.Bot.UserID {
		return fmt.Errorf("%w (the homeserver says the bot is %s, not %s)", ErrNamespace, whoami.UserID, c.Bot.UserID)
	}
	c.features = c.detectServer(ctx)
	if err = c.checkReachable(ctx); err != nil {
		return err
	}
	if err = c.crypto.Init(ctx); err != nil {
		return err
	}
	c.fetchUploadLimit(ctx)
	c.MediaConfig.UploadSize = c.MaxUpload() // for mautrix' own uploads, of pictures
	if err = c.late.resume(ctx); err != nil {
		return err
	}
	c.server.open()
	return c.detectToDevice(ctx)
}

// waitForVersions asks for the supported versions until there is an answer. The first request may be refused until the
// bot is registered.
func (c *Connector) waitForVersions(ctx context.Context) (*mautrix.RespVersions, error) {
	for waited := false; ; waited = true {
		versions, err := c.Bot.Versions(ctx)
		if errors.Is(err, mautrix.MForbidden) {
			if err = c.Bot.EnsureRegistered(ctx); err == nil {
				versions, err = c.Bot.Versions(ctx)
			}
		}
		switch {
		case err == nil:
			if waited {
				c.Log.Info().Msg("The homeserver answers")
			}
			return versions, nil
		case isRefusal(err) || ctx.Err() != nil:
			return nil, startError("failed to connect to the homeserver", err)
		}
		c.Log.Warn().Err(err).Msg("The homeserver does not answer yet, waiting for it")
		if err = sleep(ctx, connectRetry); err != nil {
			return nil, err
		}
	}
}

// checkReachable asks the homeserver to call us, if it can do that.
func (c *Connector) checkReachable(ctx context.Context) error {
	if !c.SpecVersions.Supports(mautrix.FeatureAppservicePing) {
		return nil
	}
	for try := 1; ; try++ {
		_, err := c.Bot.AppservicePing(ctx, c.Config.AppService.ID, c.Bot.TxnID())
		if err == nil || errors.Is(err, mautrix.MUnrecognized) {
			return nil
		} else if try >= pingTries || ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", ErrUnreachable, err)
		}
		c.Log.Warn().Err(err).Int("try", try).Msg("The homeserver cannot reach the bridge, trying again")
		if err = sleep(ctx, connectRetry); err != nil {
			return err
		}
	}
}

func isRefusal(err error) bool {
	return errors.Is(err, mautrix.MUnknownToken) || errors.Is(err, mautrix.MExclusive) || errors.Is(err, mautrix.MForbidden)
}

// startError turns what the homeserver answers into what the admin has to do.
func startError(what string, err error) error {
	switch {
	case errors.Is(err, mautrix.MUnknownToken):
		return fmt.Errorf("%w (%w)", ErrTokenRefused, err)
	case errors.Is(err, mautrix.MExclusive), errors.Is(err, mautrix.MForbidden):
		return fmt.Errorf("%w (%w)", ErrNamespace, err)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

func sleep(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

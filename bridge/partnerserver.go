package bridge

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/database"
	"postern/provider"
)

// newProvider puts the partner server together. wake is called for each push of a gatekeeper.
func newProvider(
	ctx context.Context, cfg *config.Config, key database.SecretKey, entries []*connector.Gatekeeper, db *database.Database,
	wake func(ctx context.Context, gatekeeper, user string), now func() time.Time, observe func(route string, status int), log zerolog.Logger,
) (*provider.Provider, error) {
	audiences := make([]provider.Audience, 0, len(entries))
	for _, entry := range entries {
		audiences = append(audiences, provider.Audience{Name: entry.Audience, Integrator: entry.Integrator})
	}
	var pushers []provider.Pusher
	for _, entry := range cfg.Gatekeepers {
		if entry.PushIssuer != "" {
			pushers = append(pushers, provider.Pusher{Gatekeeper: entry.ID, Issuer: entry.PushIssuer, KeysURL: entry.PushKeysURL})
		}
	}
	proxies, err := cfg.Public.Proxies()
	if err != nil {
		return nil, err
	}
	options := provider.Options{
		Issuer:         cfg.Public.URL,
		Domain:         cfg.Homeserver.Domain,
		Audiences:      audiences,
		Keys:           db.ProviderKeys(),
		Pushers:        pushers,
		Wake:           wake,
		Now:            now,
		Observe:        observe,
		TrustedProxies: proxies,
		Log:            log,
	}
	if err = setUpHosting(&options, cfg, key); err != nil {
		return nil, err
	}
	return provider.New(ctx, options)
}

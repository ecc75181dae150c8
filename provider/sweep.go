package provider

import (
	"context"
	"time"
)

// sweepInterval is how often files that are too old are looked for.
const sweepInterval = time.Hour

// sweepMedia removes files that are too old, at once and then every hour until ctx ends.
func (p *Provider) sweepMedia(ctx context.Context) {
	if p.media == nil {
		return
	}
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		removed, err := p.SweepMedia(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.log.Err(err).Int("removed", removed).Msg("Failed to remove all hosted files that are too old")
		case removed > 0:
			p.log.Info().Int("removed", removed).Msg("Hosted files that are too old were removed")
		}
		p.cleanMedia(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *Provider) cleanMedia(ctx context.Context) {
	cleaner, ok := p.media.(MediaCleaner)
	if !ok {
		return
	}
	if err := cleaner.Clean(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn().Err(err).Msg("Failed to remove hosted files that were never finished")
	}
}

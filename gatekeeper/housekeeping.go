package gatekeeper

import (
	"context"
	"time"

	"postern/gatekeeper/state"
)

const (
	// houseInterval is how often what is too old is looked for.
	houseInterval = time.Minute
	// maxNotes is how many records of what was seen are kept.
	maxNotes = 200_000
)

// keepHouse is a goroutine that removes what is too old until the server stops.
func (s *Server) keepHouse() {
	ticker := time.NewTicker(houseInterval)
	defer ticker.Stop()
	for {
		if err := s.tidy(s.background); err != nil && s.background.Err() == nil {
			s.log.Err(err).Msg("Failed to remove what is too old")
		}
		select {
		case <-ticker.C:
		case <-s.quit:
			return
		}
	}
}

// tidy drops mail, message ids and files after 30 days, un-enlists partners' users who did not connect for as long, and drops
// the oldest records of what was seen.
func (s *Server) tidy(ctx context.Context) error {
	before := s.clock.unix() - state.Retention
	if err := s.state.DropExpired(ctx, before); err != nil {
		return err
	}
	if err := s.media.dropBefore(time.Unix(before, 0)); err != nil {
		return err
	}
	accounts, err := s.state.InteropAccounts(ctx)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if account.LastLogin >= before || s.hub.get(account.JID) != nil {
			continue
		}
		s.log.Info().Stringer("account", account.JID).Msg("Away for 30 days, enlistment ends")
		if err = s.removeAccount(ctx, account.JID); err != nil {
			return err
		}
	}
	return s.state.DropOldNotes(ctx, maxNotes)
}

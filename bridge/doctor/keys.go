package doctor

import (
	"context"
	"fmt"
	"time"

	"postern/provider"
)

const (
	// keyYear is how long a signing key is used: docs/install.md says once a year.
	keyYear = 365 * 24 * time.Hour
	// nextForgotten is when a key that was made and never used is mentioned.
	nextForgotten = 7 * 24 * time.Hour
)

// loadKeys reads the signing keys, for all that compare them.
func (e *examination) loadKeys(ctx context.Context) error {
	if e.store.ours == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	keys, err := e.store.ours.ProviderKeys().SigningKeys(ctx)
	e.keys = keys
	return err
}

// signingKeys says when the keys of identity tokens are to be replaced.
func (e *examination) signingKeys(ctx context.Context) []Finding {
	const check = "keys.signing"
	if err := e.loadKeys(ctx); err != nil {
		return []Finding{fault(check, "The keys that sign identity tokens cannot be read: "+databaseCause(err)+".", readRemedy(err))}
	}
	if e.store.ours == nil {
		return nil
	}
	var active, next *provider.StoredKey
	for i := range e.keys {
		switch e.keys[i].State {
		case provider.KeyActive:
			active = &e.keys[i]
		case provider.KeyNext:
			next = &e.keys[i]
		}
	}
	now := e.Now()
	switch {
	case active == nil:
		return []Finding{note(check, "There is no key yet that signs identity tokens. The first start of the bridge makes it.", "")}
	case next != nil && now.Sub(next.Published) > nextForgotten:
		return []Finding{warning(check, fmt.Sprintf("A next signing key was made on %s and never used.", next.Created.UTC().Format(time.DateOnly)),
			"Run `postern keys rotate`.")}
	case now.Sub(active.Created) > keyYear:
		return []Finding{warning(check, fmt.Sprintf("The key that signs identity tokens is %d days old.", int(now.Sub(active.Created).Hours()/24)),
			"Replace it once a year: `postern keys make`, then `postern keys rotate --wait`. The bridge goes on meanwhile.")}
	}
	return []Finding{fine(check, fmt.Sprintf("The key that signs identity tokens is of %s, and is to be replaced by %s.",
		active.Created.UTC().Format(time.DateOnly), active.Created.Add(keyYear).UTC().Format(time.DateOnly)))}
}

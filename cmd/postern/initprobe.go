package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/bridge/homeserver"
)

// probeClient asks what a homeserver is. A person waits for it.
var probeClient = &http.Client{Timeout: 10 * time.Second}

// meetHomeserver asks the homeserver what it is and says what speaks against it. That it is down is no error: it may be set up later.
// Where somebody can be asked, a domain that is not the server's own is offered to be changed.
func (i *initializer) meetHomeserver(ctx context.Context, asks bool) (err error) {
	if i.offline {
		return nil
	}
	address := i.setup.HomeserverAddress
	if i.found, err = homeserver.Identify(ctx, probeClient, address); err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the address once more
		}
		i.say("\nWarning: no homeserver was found at %s: %v.\nGoing on without it. Its address is homeserver.address in config.yaml.\n", address, err)
		return nil
	}
	if what := strings.TrimSpace(i.found.Software + " " + i.found.Version); what != "" {
		i.say("\nThe homeserver at %s is %s.\n", address, what)
	}
	if warning := i.found.Warning(); warning != "" {
		i.say("Warning: %s\n", warning)
	}
	name, domain := i.found.Name, i.setup.HomeserverDomain
	if name == "" {
		i.say("It does not tell its name at this address, so nobody checked that it is %s.\n", domain)
	}
	if name == "" || name == domain {
		return nil
	}
	i.say("Warning: the homeserver at %s is called %s, and not %s. The bridge works only with its own name.\n", address, name, domain)
	if !asks {
		return nil
	}
	change, err := i.prompts.yes(ctx, "Shall the domain be "+name+"?", "change", true)
	if change {
		i.setup.HomeserverDomain = name
	}
	return err
}

package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"postern/bridge/config"
	"postern/bridge/homeserver"
)

// usualAddress is where Synapse and Dendrite listen if nobody says otherwise.
const usualAddress = "http://localhost:8008"

// usualGatekeeper is what docs/install.md calls the file.
const usualGatekeeper = "whatsapp.yaml"

// askAll asks for everything that matters and that no flag said. Answers are checked as the config will be.
func (i *initializer) askAll(ctx context.Context) error {
	i.say("An empty answer takes what stands in brackets. Everything can be changed in config.yaml later, except where it says otherwise.\n")
	for _, ask := range []func(context.Context) error{
		i.askDomain, i.askAddress, i.meetAsked, i.askPublicURL, i.askGatekeeper, i.askAdmin, i.askDoublePuppet, i.askDatabase,
	} {
		if err := ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

// askText asks for a key of the config whose flag was not given, and sets it.
func (i *initializer) askText(ctx context.Context, flag, key string, q question, set func(answer string)) error {
	if i.given(flag) {
		return nil
	}
	q.check = func(answer string) error {
		set(answer)
		return i.setup.Problem(key)
	}
	_, err := i.prompts.ask(ctx, q)
	return err
}

func (i *initializer) askDomain(ctx context.Context) error {
	return i.askText(ctx, "domain", "homeserver.domain", question{
		about: "The homeserver's name, the part of a Matrix ID after the colon. Only its users can enlist. It stays.",
		name:  "domain, such as example.org",
	}, func(answer string) { i.setup.HomeserverDomain = strings.ToLower(answer) })
}

func (i *initializer) askAddress(ctx context.Context) error {
	if i.given("homeserver") {
		return nil
	}
	q := question{about: "Where the bridge reaches the homeserver's client interface. On the same machine: without TLS.", name: "homeserver", fallback: usualAddress}
	if !i.offline {
		if address, err := homeserver.WellKnown(ctx, probeClient, i.setup.HomeserverDomain); err == nil {
			i.say("\n%s says that its homeserver is at %s.\n", i.setup.HomeserverDomain, address)
			q.fallback = address
		}
	}
	return i.askText(ctx, "homeserver", "homeserver.address", q, func(answer string) { i.setup.HomeserverAddress = answer })
}

// meetAsked comes before the other questions, since they depend on the domain.
func (i *initializer) meetAsked(ctx context.Context) error { return i.meetHomeserver(ctx, true) }

func (i *initializer) askPublicURL(ctx context.Context) error {
	name, _, _ := strings.Cut(i.setup.HomeserverDomain, ":")
	return i.askText(ctx, "public-url", "public.url", question{
		about: "How gatekeepers reach the partner server, through a reverse proxy with TLS. It is in the agreement, so it stays.",
		name:  "public URL", fallback: "https://postern." + name,
	}, func(answer string) { i.setup.PublicURL = answer })
}

func (i *initializer) askGatekeeper(ctx context.Context) error {
	if i.given("gatekeeper") {
		return nil
	}
	q := question{
		about: "A YAML file with the gatekeeper's entry, from the agreement. For the sandbox, `postern gatekeeper describe` prints one.",
		name:  "gatekeeper file",
		check: func(answer string) (err error) {
			if answer == "" {
				return errors.New("write the file's name; docs/install.md says what is in it")
			}
			if i.setup.Gatekeepers, err = config.GatekeeperFile(answer); err != nil {
				return err
			}
			return i.setup.Problem("gatekeepers")
		},
	}
	if _, err := os.Stat(usualGatekeeper); err == nil {
		q.fallback = usualGatekeeper
	}
	_, err := i.prompts.ask(ctx, q)
	return err
}

func (i *initializer) askAdmin(ctx context.Context) error {
	return i.askText(ctx, "admin", "admins", question{
		about: "The Matrix IDs of those who may use the bot's admin commands, with commas between them. Empty is nobody.",
		name:  "admins, such as @me:" + i.setup.HomeserverDomain,
	}, func(answer string) {
		i.setup.Admins = nil
		for entry := range strings.SplitSeq(answer, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				i.setup.Admins = append(i.setup.Admins, entry)
			}
		}
	})
}

func (i *initializer) askDoublePuppet(ctx context.Context) error {
	if i.given("no-double-puppet") {
		return nil
	}
	with, err := i.prompts.yes(ctx, "May the bridge join chats for your users, and mark them as direct? It takes a power over all accounts of the server.",
		"double puppeting", true)
	i.setup.WithoutDoublePuppet = !with
	return err
}

func (i *initializer) askDatabase(ctx context.Context) error {
	err := i.askText(ctx, "database-type", "database.type", question{
		about: "sqlite needs no care and serves a thousand users; postgres if you run one anyway. `postern db migrate` moves to postgres later.",
		name:  "database", fallback: string(config.SQLite),
	}, func(answer string) { i.setup.DatabaseType = config.DatabaseType(answer) })
	if err != nil || i.setup.DatabaseType != config.Postgres {
		return err
	}
	return i.askText(ctx, "database-uri", "database.uri", question{
		about: "The PostgreSQL database, which nothing else may use. What you write is shown on the terminal.",
		name:  "address", fallback: "postgres://postern@localhost/postern?sslmode=disable",
	}, func(answer string) { i.setup.DatabaseURI = answer })
}
